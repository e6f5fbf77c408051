// Lists and their pages. A list that is read page by page is kept as it was at its first page, by references, so that no
// object is missed or shown twice; the oldest such lists are forgotten first.
import { randomUUID } from 'node:crypto';
import { badRequest, expired } from './api-error.ts';
import { isObject, type KubeObject } from './kube-object.ts';
import { limits } from './limits.ts';
import type { Target } from './request.ts';
import { both, fieldMatcher, labelMatcher, type Matcher } from './selectors.ts';
import type { Store } from './store.ts';
import { servedForm } from './versions.ts';

export interface ListOptions {
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
}

export interface ObjectList {
  readonly items: readonly KubeObject[];
  readonly resourceVersion: string;
  readonly continue: string | undefined;
  readonly remaining: number | undefined;
}

export function matcherOf({ kind }: Target, { labelSelector, fieldSelector }: ListOptions): Matcher {
  return both(labelMatcher(labelSelector), fieldMatcher(fieldSelector, kind));
}

/** Lists a collection. Throws a 410 for a page of a list that is forgotten. */
export function createListing(store: Store): (target: Target, options: ListOptions) => ObjectList {
  const pages = new Map<string, { items: readonly KubeObject[]; resourceVersion: string }>();
  return (target, options) => {
    const { kind, namespace } = target;
    const snapshot = options.continue ? pages.get(pageOf(options.continue).id) : undefined;
    if (options.continue && snapshot === undefined) {
      throw expired(
        'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.',
      );
    }
    const matches = matcherOf(target, options);
    const all =
      snapshot?.items ??
      store
        .list(kind.storage, namespace)
        .filter(matches)
        .map((object) => servedForm(object, kind));
    const resourceVersion = snapshot?.resourceVersion ?? String(store.revision());
    const start = options.continue ? pageOf(options.continue).start : 0;
    const end = options.limit ? Math.min(all.length, start + options.limit) : all.length;
    if (end >= all.length)
      return { items: all.slice(start), resourceVersion, continue: undefined, remaining: undefined };
    const id = options.continue ? pageOf(options.continue).id : randomUUID();
    pages.delete(id);
    pages.set(id, { items: all, resourceVersion });
    const [oldest] = pages.keys();
    if (pages.size > limits.pagedLists && oldest !== undefined) pages.delete(oldest);
    const token = Buffer.from(JSON.stringify({ id, start: end })).toString('base64url');
    return { items: all.slice(start, end), resourceVersion, continue: token, remaining: all.length - end };
  };
}

function pageOf(token: string): { id: string; start: number } {
  try {
    const page: unknown = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'));
    if (isObject(page) && typeof page.id === 'string' && typeof page.start === 'number')
      return { id: page.id, start: page.start };
  } catch {
    // Falls through: a token that is no JSON is as wrong as one with the wrong fields.
  }
  throw badRequest('continue key is not valid');
}
