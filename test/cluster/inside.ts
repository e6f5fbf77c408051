// Runs as the first process of namespaces of its own (mounts, processes, network), made by `unshare`; see
// real-cluster.ts. Whatever is started here dies with this process, and so do its mounts, addresses and rules: the kernel
// cleans up, even when we are killed. It ends when its standard input does, that is with whoever started it.
import { type ChildProcess, spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createClock, createLog } from '@kubeai/daemon';
import { createKubeClient, loadKubeConfig } from '@kubeai/kube';
import {
  apiServiceAddress,
  type ClusterNode,
  clusterDomain,
  clusterName,
  controlAddress,
  layout,
  nodes,
  pauseImage,
  podRange,
  serviceRange,
} from './layout.ts';
import { startNameServer } from './name-server.ts';
import { serveNetwork } from './network-socket.ts';
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
const cniDirectory = join(directory, 'cni');

process.stdin.resume().once('end', () => process.exit(0));
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0));

try {
  for (const path of [paths.pki, paths.logs, paths.pods, paths.pids]) await mkdir(path, { recursive: true });
  await Promise.all([hideMachine(), setUpNetwork(), writeCertificates()]);
  start('etcd', etcdWords());
  await writePodNetwork();
  start('kube-apiserver', apiServerWords());
  await Promise.all([apiServerReady(), ...nodes.map(startContainerd)]);
  start('kube-controller-manager', controllerManagerWords());
  start('kube-scheduler', schedulerWords());
  await Promise.all(nodes.map(startKubelet));
  // One for both nodes: its rules stand in the network that they share.
  await writeProxy();
  start('kube-proxy', ['--config', join(directory, 'kube-proxy.json')]);
  const { client, clock, log } = admin();
  await startNameServer({ client, clock, log, address: controlAddress, domain: clusterDomain });
  await serveNetwork(paths.networkSocket);
  await Promise.all(nodes.map(nodeReady));
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

/** A bridge without ports carries the nodes' addresses; every route leads there unless a pod is nearer. */
async function setUpNetwork(): Promise<void> {
  const ip = (...words: string[]) => runCommand(programs.ip, words);
  await ip('link', 'set', 'lo', 'up');
  await ip('link', 'add', 'node0', 'type', 'bridge');
  for (const { address } of nodes) await ip('address', 'add', `${address}/24`, 'dev', 'node0');
  await ip('link', 'set', 'node0', 'up');
  await ip('route', 'add', 'default', 'dev', 'node0', 'src', controlAddress);
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
      addresses: ['127.0.0.1', controlAddress, apiServiceAddress],
    },
    'apiserver-kubelet': { commonName: 'kube-apiserver-kubelet-client', organization: masters },
    'front-proxy': { commonName: 'front-proxy-client' },
    ...Object.fromEntries(nodes.map((node) => [kubeletOf(node), kubeletIdentity(node)])),
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

function kubeletOf({ name }: ClusterNode): string {
  return `kubelet-${name}`;
}

function kubeletIdentity({ name, address }: ClusterNode): Identity {
  return { commonName: `system:node:${name}`, organization: 'system:nodes', addresses: [address] };
}

/** Starts a program and keeps it running, as an init system would; what it says goes to its log. */
function start(program: keyof Programs, words: readonly string[], name: string = program): void {
  const log = openSync(join(paths.logs, `${name}.log`), 'a');
  const run = () => {
    const child: ChildProcess = spawn(programs[program], words, { stdio: ['ignore', log, log], env: environment() });
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
    ...['--name', clusterName, '--data-dir', join(directory, 'etcd')],
    ...['--listen-client-urls', 'http://127.0.0.1:2379', '--advertise-client-urls', 'http://127.0.0.1:2379'],
    ...['--listen-peer-urls', 'http://127.0.0.1:2380', '--initial-advertise-peer-urls', 'http://127.0.0.1:2380'],
    ...['--initial-cluster', `${clusterName}=http://127.0.0.1:2380`, '--unsafe-no-fsync'],
  ];
}

function apiServerWords(): string[] {
  return [
    '--etcd-servers=http://127.0.0.1:2379',
    `--secure-port=${port}`,
    '--bind-address=0.0.0.0',
    `--advertise-address=${controlAddress}`,
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

async function writePodNetwork(): Promise<void> {
  await mkdir(cniDirectory, { recursive: true });
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
          // The same for both nodes, which take their addresses from one range.
          dataDir: join(directory, 'cni-addresses'),
        },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  };
  await writeFile(join(cniDirectory, '10-pods.conflist'), JSON.stringify(network, null, 2));
}

async function startContainerd(node: ClusterNode): Promise<void> {
  const place = paths.node(node.name);
  const socket = paths.containerdSocket(node.name);
  const text = `
version = 2
root = "${join(place, 'containerd')}"
state = "/run/${node.name}"
[grpc]
  address = "${socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${pauseImage}"
  # Without CAP_SYS_RESOURCE nobody may lower an oom score, and runc would fail at it.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${dirname(programs.ptp)}"
    conf_dir = "${cniDirectory}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        BinaryName = "${programs.runc}"
        SystemdCgroup = false
`;
  const file = join(place, 'containerd.toml');
  await mkdir(place, { recursive: true });
  await writeFile(file, text.trimStart());
  start('containerd', ['--config', file], `containerd-${node.name}`);
  await until(`containerd-${node.name}`, 30, async () => {
    await access(socket);
    await runCommand(programs.ctr, ['--address', socket, 'version']);
  });
  await runCommand(programs.ctr, [
    ...['--address', socket, '--namespace', 'k8s.io'],
    ...['image', 'import', options.pauseArchive],
  ]);
}

async function startKubelet(node: ClusterNode): Promise<void> {
  const place = paths.node(node.name);
  const pair = pki(kubeletOf(node));
  await writeFile(join(place, 'resolv.conf'), '');
  const kubelet = {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${clusterName}/${node.name}`,
    failCgroupV1: false,
    failSwapOn: false,
    containerRuntimeEndpoint: `unix://${paths.containerdSocket(node.name)}`,
    address: node.address,
    healthzBindAddress: node.address,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: pki('ca.crt') },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: `${pair}.crt`,
    tlsPrivateKeyFile: `${pair}.key`,
    clusterDNS: [controlAddress],
    clusterDomain,
    resolvConf: join(place, 'resolv.conf'),
    // A kubelet removes what is not of its own pods.
    podLogsDir: join(paths.pods, node.name),
    volumePluginDir: join(place, 'volume-plugins'),
    // The disk of a developer is nobody's business here.
    evictionHard: { 'memory.available': '50Mi', 'nodefs.available': '1%', 'imagefs.available': '1%' },
    imageGCHighThresholdPercent: 100,
    makeIPTablesUtilChains: false,
  };
  const file = join(place, 'kubelet.json');
  await writeFile(file, JSON.stringify(kubelet, null, 2));
  const words = [
    `--config=${file}`,
    `--kubeconfig=${pair}.kubeconfig`,
    `--root-dir=${join(place, 'kubelet')}`,
    `--cert-dir=${join(place, 'certificates')}`,
    `--hostname-override=${node.name}`,
    `--node-ip=${node.address}`,
  ];
  start('kubelet', words, kubeletOf(node));
}

async function writeProxy(): Promise<void> {
  const proxy = {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'nftables',
    clusterCIDR: podRange,
    conntrack: { maxPerCore: 0 },
    clientConnection: { kubeconfig: pki('kube-proxy.kubeconfig') },
    hostnameOverride: nodes[0].name,
  };
  await writeFile(join(directory, 'kube-proxy.json'), JSON.stringify(proxy, null, 2));
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

function nodeReady(node: ClusterNode): Promise<void> {
  return until(kubeletOf(node), 120, async () => {
    const ready = '{.status.conditions[?(@.type=="Ready")].status}';
    const status = await kubectl('get', 'node', node.name, '--output', `jsonpath=${ready}`);
    if (status !== 'True') throw new Error(`${node.name} is not ready: ${status}`);
    // Pods need the account that a controller makes for each namespace.
    await kubectl('get', 'serviceaccount', 'default', '--namespace', 'default');
  });
}

/** Repeats until it does not throw. Throws what it threw last, with the end of the process's log. */
async function until(name: string, limitSeconds: number, attempt: () => Promise<void>): Promise<void> {
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
