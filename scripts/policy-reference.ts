// `npm run policy-reference`: writes the generated parts of docs/policy.md: the fields from the schema, the presets, the
// reasons from the decision's closed list. A test holds the page equal to this.
import { readFileSync, writeFileSync } from 'node:fs';
import { causes, reasons } from '@kubeai/decision';
import { fieldReference, presets } from '@kubeai/policy';
import { stringify } from 'yaml';

export const pagePath = new URL('../docs/policy.md', import.meta.url);

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const row = (...cells: string[]) => `| ${cells.map(cell).join(' | ')} |`;

const sections: Readonly<Record<string, () => string>> = {
  fields: () =>
    [
      row('field', 'kind', 'default', 'meaning'),
      '|---|---|---|---|',
      ...fieldReference().map(({ field, kind, required, byDefault, meaning }) =>
        row(
          `\`${field}\``,
          kind,
          required ? '**required**' : byDefault === undefined ? '' : `\`${byDefault}\``,
          meaning,
        ),
      ),
    ].join('\n'),
  presets: () =>
    Object.entries(presets)
      .map(([name, preset]) => `\`preset: ${name}\`\n\`\`\`yaml\n${stringify(preset)}\`\`\``)
      .join('\n\n'),
  reasons: () =>
    [
      row('reason', 'the target has this size because', 'what to do'),
      '|---|---|---|',
      ...Object.entries(reasons).map(([name, { sentence, action }]) => row(`\`${name}\``, sentence, action)),
    ].join('\n'),
  causes: () =>
    [
      row('cause', 'the metric is missing because'),
      '|---|---|',
      ...Object.entries(causes).map(([name, sentence]) => row(`\`${name}\``, sentence)),
    ].join('\n'),
};

/** The page with its generated parts made anew: everything between `<!-- NAME -->` and `<!-- end of NAME -->`. */
export const withReference = (page: string): string =>
  Object.entries(sections).reduce(
    (text, [name, make]) =>
      text.replace(
        new RegExp(`(<!-- ${name} -->\n)[^]*?(\n<!-- end of ${name} -->)`),
        (_all, head: string, tail: string) => head + make() + tail,
      ),
    page,
  );

if (process.argv[1] === import.meta.filename) writeFileSync(pagePath, withReference(readFileSync(pagePath, 'utf8')));
