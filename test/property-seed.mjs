// Property tests draw the same cases wherever they run, so that a change is judged by the same tests as the one before it.
// KUBEAI_PROPERTY_SEED=NUMBER draws others; a case that falls over belongs into its test as an example.
import fc from 'fast-check';

const seed = Number(process.env['KUBEAI_PROPERTY_SEED'] ?? 1);
if (!Number.isInteger(seed)) throw new Error(`KUBEAI_PROPERTY_SEED must be a whole number, not "${seed}"`);
fc.configureGlobal({ seed });
