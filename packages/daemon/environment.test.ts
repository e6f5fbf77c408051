import { expect, test } from '@jest/globals';
import { z } from 'zod';
import { parseEnvironment } from './environment.ts';

const schema = z.object({
  POD_IP: z.ipv4({ error: 'must be an IPv4 address' }),
  PORT: z.coerce.number().default(15001),
});

test.each([
  [
    { POD_IP: '127.64.0.3', OTHER: 'x' },
    { ok: true, value: { POD_IP: '127.64.0.3', PORT: 15001 } },
  ],
  [
    { POD_IP: '127.64.0.3', PORT: '' },
    { ok: true, value: { POD_IP: '127.64.0.3', PORT: 15001 } },
  ],
  [{ POD_IP: '' }, { ok: false, problems: [{ field: 'POD_IP', message: 'is required but not set' }] }],
  [{ POD_IP: 'host' }, { ok: false, problems: [{ field: 'POD_IP', message: 'must be an IPv4 address' }] }],
])('reads %j', (environment, result) => {
  expect(parseEnvironment(schema, environment)).toEqual(result);
});
