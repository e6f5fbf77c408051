import { closeSync, openSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { createLog } from './log.ts';
import { createLogLines } from './log-lines.ts';

function recording(level: 'debug' | 'info' = 'info') {
  const lines: Record<string, unknown>[] = [];
  const log = createLog({ level, name: 'tested', destination: { write: (line) => void lines.push(JSON.parse(line)) } });
  return { log, lines };
}

test('a line says level, name, message and fields', () => {
  const { log, lines } = recording();
  log.child({ policy: { namespace: 'a', name: 'b' } }).info('Scaled the target', { from: 2, to: 3 });
  log.debug('Not at this level');
  expect(lines).toEqual([
    {
      level: 'info',
      time: expect.any(Number),
      name: 'tested',
      msg: 'Scaled the target',
      policy: { namespace: 'a', name: 'b' },
      from: 2,
      to: 3,
    },
  ]);
});

test('secrets do not reach the log, at any depth at which they are passed around', () => {
  const { log, lines } = recording();
  log.warn('Asked the API server', {
    token: 's3cret',
    headers: { authorization: 'Bearer s3cret' },
    request: { headers: { authorization: 'Bearer s3cret', cookie: 's3cret' } },
    secret: { 'tls.key': 's3cret', password: 's3cret' },
  });
  expect(JSON.stringify(lines)).not.toContain('s3cret');
  expect(lines[0]).toMatchObject({ token: '[redacted]', headers: { authorization: '[redacted]' } });
});

test('an error keeps its type, message, stack and causes', () => {
  const { log, lines } = recording();
  log.error('Reconciling failed', { cause: new TypeError('outer', { cause: new Error('inner') }) });
  expect(lines[0]).toMatchObject({
    cause: { type: 'TypeError', message: 'outer', cause: { message: 'inner' }, stack: expect.any(String) },
  });
});

test('a disk that is full, and a file that is gone, cost lines and nothing else', () => {
  const full = openSync('/dev/full', 'w');
  const lines = createLogLines(full);
  const log = createLog({ level: 'info', name: 'tested', destination: lines });
  log.info('Lost');
  log.error('Lost, too', { cause: new Error('no space left') });
  expect(lines.lost).toBe(2);
  closeSync(full);
  createLog({ level: 'info', name: 'tested', destination: full }).info('Written to a file that was closed');
  log.info('Lost again');
  expect(lines.lost).toBe(3);
});
