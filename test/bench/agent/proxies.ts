// The agent and what one would use instead, each started on the proxies' core in front of the same server.
import { type ChildProcess, execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from '../../../docker/bundle.ts';
import { family, installed, listening, proxyCore, start } from './processes.ts';

const here = dirname(fileURLToPath(import.meta.url));

/** Where the server listens that all of them stand before. */
export const upstreamPort = 18_000;
export const agentEnvironment = {
  KUBEAI_POD_NAME: 'bench',
  KUBEAI_POD_NAMESPACE: 'bench',
  KUBEAI_POD_UID: 'bench',
  KUBEAI_POD_IP: '127.0.0.1',
  KUBEAI_UPSTREAM_PORT: String(upstreamPort),
  KUBEAI_LOG_LEVEL: 'error',
};

export interface Contestant {
  readonly name: string;
  readonly port: number;
  /** Processes whose CPU and memory are the proxy's. */
  readonly pids: () => number[];
}

/** One of the programs beside this file as a single file of JavaScript, in `directory`. */
export async function bundleHelper(name: string, directory: string): Promise<string> {
  const outfile = join(directory, `${name}.mjs`);
  await bundle(join(here, `${name}.ts`), outfile);
  return outfile;
}

/** Those that this machine has, `direct` first: no proxy at all. `agent`: its bundle. */
export async function startProxies(directory: string, agent: string): Promise<Contestant[]> {
  const proxies: Contestant[] = [{ name: 'direct', port: upstreamPort, pids: () => [] }];
  const add = async (name: string, port: number, child: ChildProcess) => {
    await listening(port);
    proxies.push({ name, port, pids: () => family(child.pid!) });
  };
  const target = `127.0.0.1:${upstreamPort}`;

  const nginx = installed('nginx');
  if (nginx !== undefined) {
    const file = join(directory, 'nginx.conf');
    await writeFile(
      file,
      `daemon off; worker_processes 1; pid ${directory}/nginx.pid; error_log /dev/null crit;
events { worker_connections 4096; }
http { access_log off; client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/f; uwsgi_temp_path ${directory}/u; scgi_temp_path ${directory}/s;
  keepalive_requests 100000000; client_max_body_size 0;
  upstream model { server ${target}; keepalive 1024; keepalive_requests 100000000; }
  server { listen 127.0.0.1:18001; location / { proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_buffering off; proxy_request_buffering off; } } }
`,
    );
    await add('nginx', 18_001, start(nginx, ['-c', file, '-p', directory], proxyCore));
  }
  const haproxy = installed('haproxy');
  if (haproxy !== undefined) {
    const file = join(directory, 'haproxy.cfg');
    await writeFile(
      file,
      `global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option http-keep-alive
frontend in
  bind 127.0.0.1:18002
  default_backend model
backend model
  http-reuse always
  server one ${target}
`,
    );
    await add('haproxy', 18_002, start(haproxy, ['-db', '-f', file], proxyCore));
  }
  const go = installed('go');
  if (go !== undefined) {
    const binary = join(directory, 'go-proxy');
    execFileSync(go, ['build', '-o', binary, join(here, 'proxy.go')], {
      env: { ...process.env, GO111MODULE: 'off', GOCACHE: join(directory, 'go-cache'), GOFLAGS: '' },
    });
    await add('go', 18_003, start(binary, ['127.0.0.1:18003', `http://${target}`], proxyCore, { GOMAXPROCS: '1' }));
  }
  const nodeProxies = await bundleHelper('node-proxies', directory);
  for (const [name, kind, port] of [
    ['http-proxy-3', 'http-proxy-3', 18_004],
    ['node http', 'http', 18_005],
    ['bare splice', 'splice', 18_008],
  ] as const) {
    await add(name, port, start(process.execPath, [nodeProxies, kind, `${port}`, `${upstreamPort}`], proxyCore));
  }
  await add(
    'agent',
    18_006,
    start(process.execPath, [agent], proxyCore, {
      ...agentEnvironment,
      KUBEAI_LISTEN_PORT: '18006',
      KUBEAI_ADMIN_PORT: '18007',
    }),
  );
  return proxies;
}
