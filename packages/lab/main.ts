// `npm run lab`, which is `kubeai lab` as well.
import { onOutputLost } from '@kubeai/daemon';
import { lab } from './lab-command.ts';

onOutputLost(process, 'lab');
await lab(process);
