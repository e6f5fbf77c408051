// The one thing that the webhook does for others: its injection at the command line.
export { inject } from './inject-command.ts';
