// The same injection on files: manifests in, manifests out, with comments, order and untouched documents as they were.
// A workload's pod template is given to the very function that answers the API server, and the difference is written
// into the YAML tree node by node.
import type { FieldProblem, Result } from '@kubeai/units';
import jsonPatch, { type Operation } from 'fast-json-patch';
import { Document, isCollection, isSeq, LineCounter, parseDocument, visit } from 'yaml';
import type { InjectionConfig } from './agent-container.ts';
import { skipReasons } from './eligibility.ts';
import { admitPod } from './mutate-pods.ts';
import { type ServiceView, serviceView } from './service-view.ts';

/** One object of a manifest and what became of it. */
export interface Explanation {
  /** `Deployment chat`, with its namespace when it has one. */
  readonly object: string;
  readonly sentence: string;
  readonly warnings: readonly string[];
}

export interface InjectedManifest {
  readonly text: string;
  readonly explanations: readonly Explanation[];
}

const inTemplate = [['spec', 'template']];
/** Where a kind keeps the pods that it makes: the first of these places that is there. */
const podPlaces: Readonly<Record<string, readonly (readonly string[])[]>> = {
  Pod: [[]],
  Deployment: inTemplate,
  StatefulSet: inTemplate,
  DaemonSet: inTemplate,
  ReplicaSet: inTemplate,
  ReplicationController: inTemplate,
  Job: inTemplate,
  CronJob: [['spec', 'jobTemplate', 'spec', 'template']],
  /** Argo's. */
  Rollout: inTemplate,
  // The leader takes the requests of its group.
  LeaderWorkerSet: ['leaderTemplate', 'workerTemplate'].map((template) => ['spec', 'leaderWorkerTemplate', template]),
};

/** Groups whose operators write the pods themselves: what stands in the file is no pod yet, or not all of it. */
const operatorGroups =
  /^(serving\.kserve\.io|serving\.knative\.dev|ray\.io|(apps\.)?nvidia\.com|batch\.volcano\.sh|orchestration\.aibrix\.ai|model\.aibrix\.ai|production-stack\.vllm\.ai|jobset\.x-k8s\.io|kubeflow\.org|trainer\.kubeflow\.org)$/;

// What kubectl reads: YAML 1.1 (0700 is octal), where the last of two equal keys counts.
const dialect = { version: '1.1', uniqueKeys: false } as const;

/** The manifests with agents, and a sentence for each object; or where the text is no YAML, by line. */
export function injectManifest(
  text: string,
  config: InjectionConfig,
  ownNamespace: string,
): Result<InjectedManifest, FieldProblem> {
  const { parts, problems } = partsOf(text);
  if (problems.length > 0) return { ok: false, problems };
  const objects = parts.flatMap(({ value }) => objectsOf(value).map(({ object }) => object));
  const services = objects.filter((object) => object.kind === 'Service' && !isOperated(object)).map(serviceView);
  const explanations: Explanation[] = [];
  const texts = parts.map((part) => injectPart(part, { config, ownNamespace, services }, explanations));
  return { ok: true, value: { text: texts.join(''), explanations } };
}

/** One document of the text, as it stands, as a tree, and as a value. */
interface Part {
  readonly source: string;
  readonly document: Document.Parsed;
  readonly value: unknown;
}

interface Surroundings {
  readonly config: InjectionConfig;
  readonly ownNamespace: string;
  /** The Services of the same text. */
  readonly services: readonly ServiceView[];
}

function partsOf(text: string): { readonly parts: readonly Part[]; readonly problems: readonly FieldProblem[] } {
  const problems: FieldProblem[] = [];
  let line = 1;
  // A line of three dashes always ends a document, even inside a block of text.
  const parts = text.split(/^(?=---(?:\s|$))/m).map((source) => {
    const lines = new LineCounter();
    const document = parseDocument(source, { ...dialect, lineCounter: lines });
    const lineAt = (offset: number) => `line ${line + lines.linePos(offset).line - 1}`;
    const action = templateAction(source, document);
    if (action !== undefined) problems.push({ field: lineAt(action), message: renderFirst });
    // One mistake makes many messages; the first one names it.
    else if (document.errors[0] !== undefined) {
      const { message, pos } = document.errors[0];
      problems.push({ field: lineAt(pos[0]), message: message.split('\n')[0]!.replace(/ at line \d+.*$/, '') });
    }
    line += source.split('\n').length - 1;
    // A copy without sharing: what stands behind an anchor is one object in several places.
    const value: unknown = problems.length > 0 ? null : JSON.parse(JSON.stringify(document.toJS() ?? null));
    return { source, document, value };
  });
  return { parts, problems };
}

const renderFirst = 'is a template, not YAML; render it first, such as with: helm template';

/**
 * Where a template's `{{ … }}` stands in the place of YAML, as an offset. YAML often reads it as a mapping whose key is a
 * mapping, which no Kubernetes object has; in quotes and in blocks of text (chat templates) it is text like any other.
 */
function templateAction(source: string, document: Document.Parsed): number | undefined {
  if (document.errors.length > 0) {
    const found = /^[^#'"\n]*?\{\{[-\s]*[\w.$"(/]/m.exec(source);
    return found === null ? undefined : source.indexOf('{{', found.index);
  }
  let offset: number | undefined;
  visit(document, {
    Pair(_key, { key }) {
      if (!isCollection(key)) return undefined;
      offset = key.range?.[0];
      return visit.BREAK;
    },
  });
  return offset;
}

function injectPart(
  { source, document: parsed, value }: Part,
  around: Surroundings,
  explanations: Explanation[],
): string {
  // An anchored node may stand for several places, and changing it would change them all: such a document is written out.
  const document: Document = hasAliases(parsed)
    ? new Document(value, { ...dialect, aliasDuplicateObjects: false })
    : parsed;
  let changed = false;
  for (const { object, path } of objectsOf(value)) {
    const { explanation, patch, template } = injectObject(object, around);
    explanations.push(explanation);
    for (const operation of patch) apply(document, [...path, ...template, ...stepsOf(operation.path)], operation);
    changed ||= patch.length > 0;
  }
  if (!changed) return source;
  const text = document.toString({ lineWidth: 0, indentSeq: !/^( *)\S.*:[ ]*\n\1- /m.test(source) });
  const marked = source.startsWith('---') && !text.startsWith('---') ? `---\n${text}` : text;
  return source.endsWith('\n') ? marked : marked.replace(/\n$/, '');
}

function hasAliases(document: Document): boolean {
  let found = false;
  visit(document, {
    Alias() {
      found = true;
      return visit.BREAK;
    },
  });
  return found;
}

interface KubeLike {
  readonly apiVersion?: unknown;
  readonly kind?: unknown;
  readonly metadata?: { readonly name?: unknown; readonly namespace?: unknown; readonly generateName?: unknown } | null;
  readonly items?: unknown;
}

/** The objects of a document: itself, or the items of a List. */
function objectsOf(value: unknown): { object: KubeLike; path: (string | number)[] }[] {
  if (typeof value !== 'object' || value === null) return [];
  const object = value as KubeLike;
  if (typeof object.kind === 'string' && object.kind.endsWith('List') && Array.isArray(object.items)) {
    return object.items.flatMap((item: unknown, index) =>
      objectsOf(item).map((inner) => ({ ...inner, path: ['items', index, ...inner.path] })),
    );
  }
  return [{ object, path: [] }];
}

function injectObject(
  object: KubeLike,
  { config, ownNamespace, services }: Surroundings,
): { explanation: Explanation; patch: Operation[]; template: readonly string[] } {
  const kind = typeof object.kind === 'string' ? object.kind : 'an object without kind';
  const { name, namespace, generateName } = object.metadata ?? {};
  const named = `${kind} ${namespace === undefined ? '' : `${String(namespace)}/`}${String(name ?? generateName ?? '(no name)')}`;
  const places = Object.hasOwn(podPlaces, kind) && !isOperated(object) ? podPlaces[kind] : undefined;
  if (places === undefined)
    return { explanation: { object: named, sentence: whyAlone(object), warnings: [] }, patch: [], template: [] };

  const template = places.find((place) => at(object, place) !== undefined) ?? places[0]!;
  const pod = at(object, template);
  // The namespace's labels are not in the file; whoever injects by hand has decided.
  const inside = typeof namespace === 'string' ? namespace : 'default';
  const view = {
    name: inside,
    labels: undefined,
    services: services.filter((service) => service.namespace === inside),
  };
  const { pod: after, outcome, warnings } = admitPod(pod, view, ownNamespace, config);
  const skipped = outcome.kind === 'skipped';
  return {
    explanation: {
      object: named,
      sentence: skipped
        ? `no agent, ${outcome.reason}: ${skipReasons[outcome.reason]}`
        : `agent injected, reach ${outcome.reach}`,
      warnings: skipped ? [] : warnings,
    },
    // A pod without an agent keeps its file as it is: the mark of a reason would only make noise in a repository.
    patch: skipped ? [] : jsonPatch.compare(pod as object, after as object),
    template,
  };
}

const at = (object: unknown, place: readonly string[]): unknown =>
  place.reduce<unknown>((value, step) => (value as Record<string, unknown> | null | undefined)?.[step], object);

/** Kinds of operators may be called as Kubernetes' own are: Knative's Service, Volcano's Job. */
const isOperated = ({ apiVersion }: KubeLike): boolean =>
  typeof apiVersion === 'string' && operatorGroups.test(apiVersion.split('/')[0]!);

function whyAlone(object: KubeLike): string {
  if (typeof object.kind !== 'string') return 'left alone: without a kind it is no Kubernetes object';
  if (isOperated(object)) return 'left alone: an operator makes its pods, which get their agents from the webhook';
  return isCustom(object)
    ? 'left alone: no kind of Kubernetes itself; if an operator makes pods of it, they get their agents from the webhook'
    : 'left alone: it makes no pods that we know of';
}

/** Groups with a dot are those of operators, of policies, and of Kubernetes: its own end in .k8s.io, its experiments in .x-k8s.io. */
const isCustom = ({ apiVersion }: KubeLike): boolean =>
  typeof apiVersion === 'string' && /^[^/]*\.[^/]*\//.test(apiVersion) && !/^kubeai\.io\/|\.k8s\.io\//.test(apiVersion);

const stepsOf = (pointer: string): (string | number)[] =>
  pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((step) => (/^\d+$/.test(step) ? Number(step) : step));

/** One operation on the tree. Additions to a list stand at its end, so that the comments of its items stay with them. */
function apply(document: Document, path: readonly (string | number)[], operation: Operation): void {
  if (operation.op === 'remove') {
    document.deleteIn(path);
    return;
  }
  if (operation.op !== 'add' && operation.op !== 'replace')
    throw new Error(`a difference has no operation ${operation.op}`);
  const node = document.createNode(operation.value);
  const parent = path.length === 0 ? undefined : document.getIn(path.slice(0, -1), true);
  if (operation.op === 'add' && isSeq(parent)) parent.add(node);
  else if (isCollection(parent)) parent.set(isSeq(parent) ? path.at(-1) : String(path.at(-1)), node);
  else document.setIn(path, node);
}
