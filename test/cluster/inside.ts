// Runs as the first process of namespaces of its own (mounts, processes, network), made by `unshare`; see
// real-cluster.ts. Whatever is started here dies with this process, and so do its mounts, addresses and rules: the kernel
// cleans up, even when we are killed. It ends when its standard input does, that is with whoever started it.
import { type ChildProcess, spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { access, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { createClock, createLog } from '@kubeai/daemon';
import { createKubeClient, loadKubeConfig } from '@kubeai/kube';
import {
  apiServiceAddress,
  clusterDomain,
  clusterName,
  layout,
  nodeAddress,
  nodeName,
  pauseImage,
  podRange,
  serviceRange,
} from './layout.ts';
import { startNameServer } from './name-server.ts';
import { createAuthority, type Identity, kubeconfigText, serviceAccountKeys, writePair } from './pki.ts';
import { type Programs, runCommand } from './programs.ts';

export interface InsideOptions {
  readonly directory: string;
  readonly port: number;
  readonly programs: Programs;
  /** An archive with the image of the sandbox container. */
  readonly pauseArchive: string;
}

const options = JSON.parse(process.argv[2] ?? '{}') as InsideOptions;
const { directory, port, programs } = options;
const paths = layout(directory);
const pki = (name: string) => join(paths.pki, name);
const server = `https://127.0.0.1:${port}`;

process.stdin.resume().once('end', () => process.exit(0));
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0));

try {
  for (const path of [paths.pki, paths.logs, paths.pods, paths.pids]) await mkdir(path, { recursive: true });
  await Promise.all([hideMachine(), setUpNetwork(), writeCertificates()]);
  start('etcd', etcdWords());
  await writeContainerd();
  start('containerd', ['--config', join(directory, 'containerd.toml')]);
  start('kube-apiserver', apiServerWords());
  await Promise.all([apiServerReady(), containerdReady()]);
  start('kube-controller-manager', controllerManagerWords());
  start('kube-scheduler', schedulerWords());
  await importPause();
  await writeNode();
  start('kubelet', kubeletWords());
  start('kube-proxy', ['--config', join(directory, 'kube-proxy.json')]);
  const { client, clock, log } = admin();
  await startNameServer({ client, clock, log, address: nodeAddress, domain: clusterDomain });
  await serveApiSocket();
  await nodeReady();
  process.stdout.write('ready\n');
} catch (cause) {
  process.stderr.write(`${(cause as Error).message}\n`);
  process.exit(1);
}

/** Programs that know no other place write under these; there is nothing of the machine in them that they need. */
async function hideMachine(): Promise<void> {
  await runCommand('mount', ['--make-rshared', '/']);
  for (const path of ['/run', '/var/lib', '/var/log']) {
    await runCommand('mount', ['--types', 'tmpfs', '--options', 'mode=755', clusterName, path]);
  }
  await runCommand('mount', ['--make-rshared', '/']);
}

/** A bridge without ports carries the node's address; every route of the node leads there unless a pod is nearer. */
async function setUpNetwork(): Promise<void> {
  const ip = (...words: string[]) => runCommand(programs.ip, words);
  await ip('link', 'set', 'lo', 'up');
  await ip('link', 'add', 'node0', 'type', 'bridge');
  await ip('address', 'add', `${nodeAddress}/24`, 'dev', 'node0');
  await ip('link', 'set', 'node0', 'up');
  await ip('route', 'add', 'default', 'dev', 'node0', 'src', nodeAddress);
  await writeFile('/proc/sys/net/ipv4/ip_forward', '1');
}

async function writeCertificates(): Promise<void> {
  const authority = await createAuthority(clusterName);
  await mkdir(paths.pki, { recursive: true });
  await writeFile(pki('ca.crt'), authority.cert);
  const keys = serviceAccountKeys();
  await writeFile(pki('sa.pub'), keys.publicKey);
  await writeFile(pki('sa.key'), keys.privateKey, { mode: 0o600 });
  const masters = 'system:masters';
  const identities: Record<string, Identity> = {
    'kube-apiserver': {
      commonName: 'kube-apiserver',
      dnsNames: ['kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'localhost'],
      addresses: ['127.0.0.1', nodeAddress, apiServiceAddress],
    },
    'apiserver-kubelet': { commonName: 'kube-apiserver-kubelet-client', organization: masters },
    'front-proxy': { commonName: 'front-proxy-client' },
    kubelet: { commonName: `system:node:${nodeName}`, organization: 'system:nodes', addresses: [nodeAddress] },
    'kube-controller-manager': { commonName: 'system:kube-controller-manager' },
    'kube-scheduler': { commonName: 'system:kube-scheduler' },
    'kube-proxy': { commonName: 'system:kube-proxy' },
    admin: { commonName: 'kubernetes-admin', organization: masters },
  };
  for (const [name, identity] of Object.entries(identities)) {
    const pair = await authority.issue(identity);
    await writePair(paths.pki, name, pair);
    const file = name === 'admin' ? paths.adminKubeconfig : pki(`${name}.kubeconfig`);
    await writeFile(file, kubeconfigText(server, authority.cert, pair), { mode: 0o600 });
  }
}

/** Starts a program and keeps it running, as an init system would; what it says goes to its log. */
function start(name: keyof Programs, words: readonly string[]): void {
  const log = openSync(join(paths.logs, `${name}.log`), 'a');
  const run = () => {
    const child: ChildProcess = spawn(programs[name], words, { stdio: ['ignore', log, log], env: environment() });
    child.once('error', (cause) => process.stderr.write(`${name}: ${cause.message}\n`));
    if (child.pid !== undefined) void writeFile(join(paths.pids, name), String(child.pid));
    child.once('exit', () => setTimeout(run, 1_000));
  };
  run();
}

function environment(): NodeJS.ProcessEnv {
  return {
    PATH: `/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    HOME: directory,
  };
}

function etcdWords(): string[] {
  return [
    ...['--name', nodeName, '--data-dir', join(directory, 'etcd')],
    ...['--listen-client-urls', 'http://127.0.0.1:2379', '--advertise-client-urls', 'http://127.0.0.1:2379'],
    ...['--listen-peer-urls', 'http://127.0.0.1:2380', '--initial-advertise-peer-urls', 'http://127.0.0.1:2380'],
    ...['--initial-cluster', `${nodeName}=http://127.0.0.1:2380`, '--unsafe-no-fsync'],
  ];
}

function apiServerWords(): string[] {
  return [
    '--etcd-servers=http://127.0.0.1:2379',
    `--secure-port=${port}`,
    '--bind-address=0.0.0.0',
    `--advertise-address=${nodeAddress}`,
    `--tls-cert-file=${pki('kube-apiserver.crt')}`,
    `--tls-private-key-file=${pki('kube-apiserver.key')}`,
    `--client-ca-file=${pki('ca.crt')}`,
    `--service-account-key-file=${pki('sa.pub')}`,
    `--service-account-signing-key-file=${pki('sa.key')}`,
    `--service-account-issuer=https://kubernetes.default.svc.${clusterDomain}`,
    `--service-cluster-ip-range=${serviceRange}`,
    '--authorization-mode=Node,RBAC',
    '--allow-privileged=true',
    `--kubelet-client-certificate=${pki('apiserver-kubelet.crt')}`,
    `--kubelet-client-key=${pki('apiserver-kubelet.key')}`,
    '--kubelet-preferred-address-types=InternalIP',
    `--requestheader-client-ca-file=${pki('ca.crt')}`,
    '--requestheader-allowed-names=front-proxy-client',
    '--requestheader-username-headers=X-Remote-User',
    '--requestheader-group-headers=X-Remote-Group',
    '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    `--proxy-client-cert-file=${pki('front-proxy.crt')}`,
    `--proxy-client-key-file=${pki('front-proxy.key')}`,
  ];
}

function kubeconfigWords(name: string): string[] {
  const file = pki(`${name}.kubeconfig`);
  return [
    `--kubeconfig=${file}`,
    `--authentication-kubeconfig=${file}`,
    `--authorization-kubeconfig=${file}`,
    '--leader-elect=false',
  ];
}

function controllerManagerWords(): string[] {
  return [
    ...kubeconfigWords('kube-controller-manager'),
    `--service-account-private-key-file=${pki('sa.key')}`,
    `--root-ca-file=${pki('ca.crt')}`,
    '--use-service-account-credentials=true',
  ];
}

function schedulerWords(): string[] {
  return kubeconfigWords('kube-scheduler');
}

async function writeContainerd(): Promise<void> {
  const cni = join(directory, 'cni');
  await mkdir(cni, { recursive: true });
  const network = {
    cniVersion: '0.4.0',
    name: clusterName,
    plugins: [
      {
        // Point to point: every packet between pods passes the node's rules, so Services need no bridge netfilter.
        type: 'ptp',
        mtu: 1500,
        ipam: {
          type: 'host-local',
          ranges: [[{ subnet: podRange }]],
          routes: [{ dst: '0.0.0.0/0' }],
          dataDir: join(directory, 'cni-addresses'),
        },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  };
  await writeFile(join(cni, '10-pods.conflist'), JSON.stringify(network, null, 2));
  const text = `
version = 2
root = "${join(directory, 'containerd')}"
state = "/run/containerd"
[grpc]
  address = "${paths.containerdSocket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  # Without CAP_SYS_RESOURCE nobody may lower an oom score, and runc would fail at it.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${cni}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "${programs.runc}"
        SystemdCgroup = false
`;
  await writeFile(join(directory, 'containerd.toml'), text.trimStart());
}

async function importPause(): Promise<void> {
  await runCommand(programs.ctr, [
    ...['--address', paths.containerdSocket, '--namespace', 'k8s.io'],
    ...['image', 'import', options.pauseArchive],
  ]);
}

async function writeNode(): Promise<void> {
  await writeFile(join(directory, 'resolv.conf'), '');
  const kubelet = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${clusterName}`,
    failCgroupV1: false,
    failSwapOn: false,
    containerRuntimeEndpoint: `unix://${paths.containerdSocket}`,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: pki('ca.crt') },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: pki('kubelet.crt'),
    tlsPrivateKeyFile: pki('kubelet.key'),
    clusterDNS: [nodeAddress],
    clusterDomain,
    resolvConf: join(directory, 'resolv.conf'),
    podLogsDir: paths.pods,
    volumePluginDir: join(directory, 'volume-plugins'),
    // The disk of a developer is nobody's business here.
    evictionHard: { 'memory.available': '50Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    imageGCHighThresholdPercent: 100,
    makeIPTablesUtilChains: false,
  };
  await writeFile(join(directory, 'kubelet.json'), JSON.stringify(kubelet, null, 2));
  const proxy = {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'nftables',
    clusterCIDR: podRange,
    conntrack: { maxPerCore: 0 },
    clientConnection: { kubeconfig: pki('kube-proxy.kubeconfig') },
    hostnameOverride: nodeName,
  };
  await writeFile(join(directory, 'kube-proxy.json'), JSON.stringify(proxy, null, 2));
}

function kubeletWords(): string[] {
  return [
    `--config=${join(directory, 'kubelet.json')}`,
    `--kubeconfig=${pki('kubelet.kubeconfig')}`,
    `--root-dir=${join(directory, 'kubelet')}`,
    `--cert-dir=${paths.pki}`,
    `--hostname-override=${nodeName}`,
    `--node-ip=${nodeAddress}`,
  ];
}

function admin() {
  const config = loadKubeConfig({ path: paths.adminKubeconfig, environment: {} });
  if (!config.ok) throw new Error(config.problems.map(({ message }) => message).join('; '));
  const clock = createClock();
  const log = createLog({ level: 'warn', name: clusterName, destination: 2 });
  return { client: createKubeClient(config.value, { userAgent: clusterName, clock }), clock, log };
}

function kubectl(...words: string[]): Promise<string> {
  return runCommand(programs.kubectl, ['--kubeconfig', paths.adminKubeconfig, ...words]);
}

function apiServerReady(): Promise<void> {
  return until('kube-apiserver', 120, async () => {
    await kubectl('get', '--raw', '/readyz');
    // The controllers of the API server itself are not part of readyz.
    await kubectl('get', 'namespace', 'default');
  });
}

function containerdReady(): Promise<void> {
  return until('containerd', 30, async () => {
    await access(paths.containerdSocket);
    await runCommand(programs.ctr, ['--address', paths.containerdSocket, 'version']);
  });
}

function nodeReady(): Promise<void> {
  return until('kubelet', 120, async () => {
    const ready = '{.status.conditions[?(@.type=="Ready")].status}';
    const status = await kubectl('get', 'node', nodeName, '--output', `jsonpath=${ready}`);
    if (status !== 'True') throw new Error(`node is not ready: ${status}`);
    // Pods need the account that a controller makes for each namespace.
    await kubectl('get', 'serviceaccount', 'default', '--namespace', 'default');
  });
}

/** Repeats until it does not throw. Throws what it threw last, with the end of the process's log. */
async function until(name: keyof Programs, limitSeconds: number, attempt: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + limitSeconds * 1_000;
  for (;;) {
    try {
      return await attempt();
    } catch (cause) {
      if (Date.now() > deadline) {
        const log = await readFile(join(paths.logs, `${name}.log`), 'utf8');
        const end = log.trimEnd().split('\n').slice(-5).join('\n');
        throw new Error(`${name} did not get ready: ${(cause as Error).message}\n${end}`, { cause });
      }
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  }
}

/** A socket in the file system is reachable from outside, where our network is not. */
async function serveApiSocket(): Promise<void> {
  await rm(paths.apiSocket, { force: true });
  const relay = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve, reject) => {
    relay.once('error', reject);
    relay.listen(paths.apiSocket, resolve);
  });
}
