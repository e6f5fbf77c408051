// `npm run inject`, which is `kubeai inject` as well.
import { onOutputLost } from '@kubeai/daemon';
import { inject } from './inject-command.ts';

onOutputLost(process, 'inject');
inject(process);
