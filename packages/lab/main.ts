// `npm run lab`, which is `kubeai lab` as well.
import { lab } from './lab-command.ts';

await lab(process);
