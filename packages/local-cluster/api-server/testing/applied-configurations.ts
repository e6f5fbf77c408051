// A row of server-side applies on one object, for tests that only care what becomes of it.
import type { FieldType } from '../field-type.ts';
import type { KubeObject } from '../kube-object.ts';
import { applied } from '../server-side-apply.ts';

export interface AppliedConfigurations {
  apply(manager: string, configuration: KubeObject, force?: boolean): AppliedConfigurations;
  /** The object without its managed fields. */
  object(): KubeObject;
}

const subject = { group: '', resource: 'pods', name: 'p' };

export function server(
  type: FieldType,
  live: KubeObject = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' } },
): AppliedConfigurations {
  return {
    apply: (manager, configuration, force = false) =>
      server(
        type,
        applied(
          live,
          configuration,
          type,
          { manager, operation: 'Apply', apiVersion: 'v1', subresource: '', time: '2026-01-01T00:00:00Z' },
          force,
          subject,
        ),
      ),
    object() {
      const { managedFields: _managedFields, ...metadata } = live.metadata;
      return { ...live, metadata };
    },
  };
}
