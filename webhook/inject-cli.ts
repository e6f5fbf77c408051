// `npm run inject`, which is `kubeai inject` as well.
import { inject } from './inject-command.ts';

inject(process);
