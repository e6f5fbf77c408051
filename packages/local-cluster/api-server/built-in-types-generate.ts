// Writes built-in-types.txt: the fields and types of Kubernetes' own kinds, as the official client library
// (generated from Kubernetes' OpenAPI) knows them. Only what the kinds in resources.ts reach is kept, without the
// descriptions, so that the server starts in milliseconds and not in the second that importing the library takes.
//   node --import ./scripts/typescript.mjs packages/local-cluster/api-server/built-in-types-generate.ts
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { builtInKinds } from './resources.ts';

interface Attribute {
  readonly name: string;
  readonly baseName: string;
  readonly type: string;
  readonly format: string;
}

const models = join(dirname(createRequire(import.meta.url).resolve('@kubernetes/client-node')), 'gen/models');

/** `string`, `integer:int32`, `[V1Container`, `{string`, `V1PodSpec`; a trailing `!` marks a required field. */
function encode({ type, format }: Attribute, required: boolean): string {
  const short = type
    .replace(/^Array<(.*)>$/, '[$1')
    .replace(/^\{ \[key: string\]: (.*); \}$/, '{$1')
    .replace(/Array<(.*)>$/, '[$1')
    .replace(/number/, format.startsWith('int') ? `integer:${format}` : 'number')
    .replace(/V1MicroTime/, 'microTime')
    .replace(/Date/, 'time')
    .replace(/IntOrString/, 'intOrString');
  const precise = short === 'string' && format === 'byte' ? 'bytes' : short;
  return required ? `${precise}!` : precise;
}

async function typesFrom(roots: readonly string[]): Promise<Record<string, Record<string, string>>> {
  const types: Record<string, Record<string, string>> = {};
  const wanted = [...roots];
  for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
    if (types[name] !== undefined) continue;
    const module = await import(pathToFileURL(join(models, `${name}.js`)).href);
    const attributes: readonly Attribute[] = module[name].getAttributeTypeMap();
    const declared = readFileSync(join(models, `${name}.d.ts`), 'utf8');
    const fields: Record<string, string> = {};
    for (const attribute of attributes) {
      fields[attribute.baseName] = encode(attribute, declared.includes(`'${attribute.name}':`));
      const nested = /(?:[A-Z][A-Za-z]*)?V[0-9][A-Za-z0-9]*/.exec(fields[attribute.baseName] ?? '');
      if (nested) wanted.push(nested[0]);
    }
    types[name] = fields;
  }
  return Object.fromEntries(Object.entries(types).sort(([left], [right]) => (left < right ? -1 : 1)));
}

const roots = [...new Set(builtInKinds.map(({ model }) => model))];
const types = await typesFrom([...roots, 'V1ObjectMeta', 'V1DeleteOptions']);
const lines = Object.entries(types).map(([name, fields]) =>
  [name, ...Object.entries(fields).map(([field, type]) => `${field}=${type}`)].join(' '),
);
writeFileSync(join(import.meta.dirname, 'built-in-types.txt'), `${lines.join('\n')}\n`);
