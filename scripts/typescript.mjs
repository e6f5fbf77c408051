// Lets Node 20 run our TypeScript sources as they are: `node --import ./scripts/typescript.mjs FILE.ts`.
// swc strips the types file by file, in this process; resolution stays Node's own, because our imports name the .ts file.
// Tools (demo, cluster, benches) run this way; shipped processes are bundled instead, see docker/bundle.ts.
import { register } from 'node:module';

register('./typescript-loader.mjs', import.meta.url);
process.setSourceMapsEnabled(true);
