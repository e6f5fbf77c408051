// The API server's question and our answer, and the door between bytes and the two.
import type { Result } from '@kubeai/units';
import { z } from 'zod';
import { maxWarningLength, maxWarnings } from './limits.ts';

const reviewSchema = z.looseObject({
  // Absent in some clients' reviews; v1 is the only version there is today.
  apiVersion: z.literal('admission.k8s.io/v1').nullish(),
  kind: z.literal('AdmissionReview').nullish(),
  request: z.looseObject({
    uid: z.string().min(1),
    operation: z.enum(['CREATE', 'UPDATE', 'DELETE', 'CONNECT']),
    kind: z.looseObject({ group: z.string().nullish(), kind: z.string() }),
    subResource: z.string().nullish(),
    namespace: z.string().nullish(),
    name: z.string().nullish(),
    object: z.unknown().optional(),
  }),
});

export interface Review {
  readonly uid: string;
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';
  /** `Pod`, or `Deployment.apps`. */
  readonly kind: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly object: unknown;
}

/** Reads the body of a request. The problem is one sentence for a 400. */
export function parseReview(body: Buffer): Result<Review, string> {
  let json: unknown;
  try {
    json = JSON.parse(body.toString('utf8'));
  } catch (cause) {
    return { ok: false, problems: [`the body is no JSON: ${(cause as Error).message.slice(0, 120)}`] };
  }
  const parsed = reviewSchema.safeParse(json);
  if (!parsed.success) {
    return {
      ok: false,
      problems: parsed.error.issues
        .slice(0, 5)
        .map(({ path, message }) => `${path.join('.') || 'the body'}: ${message}`),
    };
  }
  const { request } = parsed.data;
  const group = request.kind.group ?? '';
  return {
    ok: true,
    value: {
      uid: request.uid,
      operation: request.operation,
      kind: group === '' ? request.kind.kind : `${request.kind.kind}.${group}`,
      subresource: request.subResource ?? '',
      namespace: request.namespace ?? '',
      name: request.name ?? '',
      // zod copies objects; the original keeps what the schema does not know in its own order.
      object: (json as { request: { object?: unknown } }).request.object,
    },
  };
}

export interface AdmissionResponse {
  readonly uid: string;
  readonly allowed: boolean;
  readonly patchType?: 'JSONPatch';
  /** Base64 of a JSON Patch. */
  readonly patch?: string;
  readonly warnings?: readonly string[];
  readonly status?: { readonly code: number; readonly reason: string; readonly message: string };
}

export const allowed = (uid: string, warnings: readonly string[] = []): AdmissionResponse => ({
  uid,
  allowed: true,
  ...shortened(warnings),
});

export const patched = (uid: string, patch: readonly unknown[], warnings: readonly string[] = []): AdmissionResponse =>
  patch.length === 0
    ? allowed(uid, warnings)
    : {
        ...allowed(uid, warnings),
        patchType: 'JSONPatch',
        patch: Buffer.from(JSON.stringify(patch)).toString('base64'),
      };

export const denied = (uid: string, message: string, warnings: readonly string[] = []): AdmissionResponse => ({
  uid,
  allowed: false,
  status: { code: 422, reason: 'Invalid', message },
  ...shortened(warnings),
});

export const reviewOf = (response: AdmissionResponse) => ({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  response,
});

/** Warnings as HTTP headers can carry them: one line each, printable, short. */
function shortened(warnings: readonly string[]): { warnings?: readonly string[] } {
  if (warnings.length === 0) return {};
  const clean = warnings.map((text) => text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, maxWarningLength));
  return { warnings: clean.slice(0, maxWarnings) };
}
