// What every request says, whatever it wants: who asks, of what, and under which conditions it may write.
import type { Instant } from '@kubeai/units';
import { methodNotAllowed } from './api-error.ts';
import type { ResourceKind } from './resources.ts';
import type { UserInfo } from './tokens.ts';

/** Who asks. Warnings go back to them beside the answer. */
export interface Caller {
  readonly user: UserInfo;
  /** The User-Agent: the field manager of whoever does not name one. */
  readonly agent: string;
  readonly warn: (warning: string) => void;
}

export interface Target {
  readonly kind: ResourceKind;
  /** '' for cluster-scoped objects, and for lists over all namespaces. */
  readonly namespace: string;
  /** '' for collections. */
  readonly name: string;
  readonly subresource: string;
}

export interface WriteOptions {
  readonly dryRun?: boolean | undefined;
  readonly fieldManager?: string | undefined;
  readonly fieldValidation?: 'Strict' | 'Warn' | 'Ignore' | undefined;
}

/** Throws a 405 where the kind has no scale. */
export const targetOf = (kind: ResourceKind, namespace: string, name: string, subresource = ''): Target => {
  if (subresource === 'scale' && kind.scale === undefined) throw methodNotAllowed();
  return { kind, namespace: kind.namespaced ? namespace : '', name, subresource };
};

/** A timestamp as Kubernetes writes it: whole seconds. */
export const timestamp = (now: Instant): string => `${new Date(now).toISOString().slice(0, 19)}Z`;
