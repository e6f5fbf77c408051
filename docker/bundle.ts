// Turns one of our processes into the single file that is shipped: no node_modules in the image, a start in a fraction
// of the time, less memory. The local cluster runs the very same files, so what is demonstrated is what is shipped.
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build, type Plugin } from 'esbuild';

/** Where the processes start, relative to the repository. */
export const entryPoints = {
  agent: 'agent/main.ts',
  webhook: 'webhook/main.ts',
  controller: 'controller/main.ts',
  'model-server': 'packages/model-server/main.ts',
} as const;

export type ProcessName = keyof typeof entryPoints;

// CommonJS dependencies inside an ES module bundle still ask for require, __filename and __dirname.
const banner = [
  "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
  "import{fileURLToPath as __toPath}from'node:url';import{dirname as __toDirectory}from'node:path';",
  'const __filename=__toPath(import.meta.url),__dirname=__toDirectory(__filename);',
].join('');

// Who imports `node:http` reads everything that it exports, and since Node 22 one of its names brings an HTTP client of
// 15 MB with it. Whoever requires it reads what is asked for.
const httpRequired: Plugin = {
  name: 'http-required',
  setup(build) {
    build.onResolve({ filter: /^node:http$/ }, ({ kind }) =>
      kind === 'import-statement' ? { path: 'node:http', namespace: 'required' } : undefined,
    );
    build.onLoad({ filter: /^/, namespace: 'required' }, ({ path }) => ({
      contents: `module.exports = require('${path}');`,
    }));
  },
};

/** Bundles one process into `directory` and returns the path of the file. Throws what esbuild finds wrong. */
export async function bundleProcess(repository: string, name: ProcessName, directory: string): Promise<string> {
  const outfile = join(directory, `${name}.mjs`);
  await bundle(join(repository, entryPoints[name]), outfile);
  return outfile;
}

/** Bundles a program with everything it imports, but packages that are to be found beside it, into one file. Throws what
 * esbuild finds wrong. */
export async function bundle(entryPoint: string, outfile: string, external: readonly string[] = []): Promise<void> {
  await mkdir(dirname(outfile), { recursive: true });
  await build({
    entryPoints: [entryPoint],
    outfile,
    bundle: true,
    external: [...external],
    platform: 'node',
    target: 'node20',
    format: 'esm',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    logLevel: 'error',
    banner: { js: banner },
    plugins: [httpRequired],
  });
}
