// Policies as users keep them: YAML files, of which a document of our kind is taken.
import { readFile } from 'node:fs/promises';
import { kind, type Policy, parsePolicy } from '@kubeai/policy';
import type { FieldProblem, Result } from '@kubeai/units';
import { parseAllDocuments } from 'yaml';

/** Reads the first policy of a file. Problems name file and field. */
export async function readPolicy(path: string): Promise<Result<Policy, FieldProblem>> {
  const wrong = (field: string, message: string): Result<Policy, FieldProblem> => ({
    ok: false,
    problems: [{ field, message }],
  });
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    return wrong(path, `cannot be read: ${(cause as Error).message}`);
  }
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) return wrong(path, 'is empty');
  for (const document of documents) {
    const [broken] = document.errors;
    if (broken !== undefined) return wrong(path, `is no YAML: ${broken.message.split('\n')[0]!.replace(/:$/, '')}`);
  }
  const found = documents
    .map((document) => document.toJS() as unknown)
    .find((each) => (each as { kind?: unknown } | null)?.kind === kind);
  if (found === undefined) return wrong(path, `holds no ${kind}`);
  const parsed = parsePolicy(found);
  if (parsed.ok) return parsed;
  return {
    ok: false,
    problems: parsed.problems.map(({ field, message }) => ({ field: `${path}: ${field}`, message })),
  };
}
