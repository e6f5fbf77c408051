// A cluster with one pod in a process of its own, for tests that kill it. Prints the pids of the pod's processes as JSON
// once they run, then waits for its end.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { plainImages, startLocalCluster } from '../index.ts';
import type { Pod } from '../workloads/objects.ts';

const [directory = ''] = process.argv.slice(2);
const cluster = await startLocalCluster({ images: plainImages, directory: join(directory, 'cluster') });
const name = { name: 'orphans', namespace: 'default' };
// A shell that ignores SIGTERM, and a child of it that would live on. ($$ in a container's command is a plain $.)
const script = 'trap "" TERM; sleep 1000 & echo $! > $OUT/child; echo $$$$ > $OUT/self; wait';
await cluster.client.create<Pod>('pods', {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: name,
  spec: {
    volumes: [{ name: 'out', hostPath: { path: directory } }],
    containers: [
      {
        name: 'main',
        image: 'busybox',
        command: ['sh', '-c', script],
        env: [{ name: 'OUT', value: '/out' }],
        volumeMounts: [{ name: 'out', mountPath: '/out' }],
      },
    ],
  },
} as Pod);
while ((await cluster.client.read<Pod>('pods', name)).status?.phase !== 'Running') await sleep(10);
process.stdout.write('running\n');
process.once('SIGTERM', () => cluster.stop().then(() => process.exit(0)));
setInterval(() => undefined, 1_000);
