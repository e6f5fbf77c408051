// The script of reach `redirect`, run by a real shell.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { redirectContainer } from './agent-container.ts';

const eligible = {
  inject: true,
  serving: { container: { name: 'model' }, port: 8000, main: { name: 'model' } },
  ports: { listen: 15_001, admin: 15_020 },
} as const;
const script = redirectContainer({ spec: { containers: [] } }, eligible, 'kubeai/redirect:1').command!.at(-1)!;
const environment = (podIp: string, path: string) => ({
  PATH: path,
  KUBEAI_POD_IP: podIp,
  KUBEAI_UPSTREAM_PORT: '8000',
  KUBEAI_LISTEN_PORT: '15001',
});

test('without nft and iptables the pod starts all the same, and the log says what is lost', () => {
  const { status, stderr } = spawnSync('/bin/sh', ['-c', script], {
    env: environment('10.0.0.1', '/nowhere'),
    encoding: 'utf8',
  });
  expect(status).toBe(0);
  expect(stderr).toContain('port 8000 could not be redirected to 15001: requests will not be observed');
});

const path = '/usr/sbin:/usr/bin:/sbin:/bin';
const canWriteRules = spawnSync('unshare', ['-n', 'nft', 'list', 'ruleset'], { env: { PATH: path } }).status === 0;

(canWriteRules ? test : test.skip).each([
  ['10.0.0.1', 'ip'],
  ['fd00::1', 'ip6'],
])('for a pod at %s one rule of family %s stands, however often it runs (needs root and nft)', (podIp, family) => {
  // In a network namespace of its own, which ends with the command.
  const twice = `${script}\n${script}\nnft list ruleset`;
  const printed = execFileSync('unshare', ['-n', 'sh', '-c', twice], {
    env: environment(podIp, path),
    encoding: 'utf8',
  });
  expect(printed.match(/^table .*/gm)).toEqual([`table ${family} kubeai {`]);
  expect(printed.match(/tcp dport .*/g)).toEqual(['tcp dport 8000 redirect to :15001']);
  expect(printed).toContain('hook prerouting');
});

const canWrite = (program: string) =>
  spawnSync('unshare', ['-n', program, '-t', 'nat', '-S'], { env: { PATH: path } }).status === 0;

for (const program of ['iptables-nft', 'iptables-legacy']) {
  const title = `where there is no nft, ${program} writes the rule, once however often it runs (needs root)`;
  (canWrite(program) ? test : test.skip)(title, () => {
    const directory = mkdtempSync(join(tmpdir(), 'redirect-'));
    symlinkSync(
      execFileSync('which', [program], { env: { PATH: path }, encoding: 'utf8' }).trim(),
      join(directory, 'iptables'),
    );
    const twice = `${script}\n${script}\niptables -t nat -S PREROUTING`;
    const printed = execFileSync('/usr/bin/unshare', ['-n', '/bin/sh', '-c', twice], {
      env: environment('10.0.0.1', directory),
      encoding: 'utf8',
    });
    rmSync(directory, { recursive: true });
    expect(printed.match(/^port .*/gm)).toEqual(Array(2).fill('port 8000 is redirected to 15001'));
    expect(printed.match(/^-A .*/gm)).toEqual([
      '-A PREROUTING -p tcp -m tcp --dport 8000 -j REDIRECT --to-ports 15001',
    ]);
  });
}
