// Bearer tokens: signed ones for service accounts, as `serviceaccounts/NAME/token` issues them (audiences, expiry, the
// pod they die with), and one for the administrator in the kubeconfig. Authorisation is simple on purpose: whoever is
// authenticated may do everything; RBAC objects are stored and never consulted.
import { createHash, generateKeyPairSync, randomBytes, randomUUID, sign, verify } from 'node:crypto';
import type { Instant } from '@kubeai/units';
import { isObject, type JsonObject, type KubeObject, valueAt } from './kube-object.ts';
import type { Store } from './store.ts';

export const apiAudience = 'https://kubernetes.default.svc';

export interface UserInfo {
  readonly username: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export type Authentication =
  | { readonly ok: true; readonly user: UserInfo; readonly audiences: readonly string[] }
  | { readonly ok: false; readonly error: string };

export interface TokenIssue {
  readonly account: KubeObject;
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
  readonly pod: { readonly name: string; readonly uid: string } | undefined;
}

export interface Tokens {
  issue(issue: TokenIssue, now: Instant): { token: string; expirationTimestamp: string };
  /** A token for a person or a tool, valid while the server runs. */
  issueStatic(user: UserInfo): string;
  /** Who the token speaks for, if it is ours, not expired, for one of the audiences, and its account and pod still exist. */
  authenticate(token: string, audiences: readonly string[], now: Instant): Authentication;
}

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const refused = (error: string): Authentication => ({ ok: false, error });

export function createTokens(store: Store): Tokens {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const keyId = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64url');
  const header = encoded({ alg: 'ES256', kid: keyId });
  const statics = new Map<string, UserInfo>();
  // Every request of a client carries the same token: the signature is checked once.
  const verified = new Map<string, JsonObject>();

  const claimsOf = (token: string): JsonObject | undefined => {
    const known = verified.get(token);
    if (known !== undefined) return known;
    const [head, body, signature] = token.split('.');
    if (head !== header || body === undefined || signature === undefined) return undefined;
    const key = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const;
    if (!verify('sha256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'))) return undefined;
    const claims: unknown = JSON.parse(Buffer.from(body, 'base64url').toString('utf8'));
    if (!isObject(claims)) return undefined;
    if (verified.size >= verifiedTokens) verified.clear();
    verified.set(token, claims);
    return claims;
  };

  return {
    issue({ account, audiences, expirationSeconds, pod }, now) {
      const issued = Math.floor(now / 1000);
      const expires = issued + expirationSeconds;
      const { name, namespace = '', uid } = account.metadata;
      const body = encoded({
        aud: audiences.length > 0 ? audiences : [apiAudience],
        exp: expires,
        iat: issued,
        iss: apiAudience,
        jti: randomUUID(),
        'kubernetes.io': { namespace, serviceaccount: { name, uid }, ...(pod && { pod }) },
        nbf: issued,
        sub: `system:serviceaccount:${namespace}:${name}`,
      });
      const signature = sign('sha256', Buffer.from(`${header}.${body}`), {
        key: privateKey,
        dsaEncoding: 'ieee-p1363',
      });
      return {
        token: `${header}.${body}.${signature.toString('base64url')}`,
        expirationTimestamp: new Date(expires * 1000).toISOString().replace(/\.\d+Z$/, 'Z'),
      };
    },
    issueStatic(user) {
      const token = randomBytes(24).toString('base64url');
      statics.set(token, user);
      return token;
    },
    authenticate(token, audiences, now) {
      const person = statics.get(token);
      if (person !== undefined) {
        return audiences.includes(apiAudience)
          ? { ok: true, user: person, audiences: [apiAudience] }
          : refused('token audiences do not match');
      }
      const claims = claimsOf(token);
      if (claims === undefined) return refused('invalid bearer token');
      if (Number(claims.exp) * 1000 <= now) return refused('service account token has expired');
      const own = Array.isArray(claims.aud) ? (claims.aud as string[]) : [];
      const shared = own.filter((audience) => audiences.includes(audience));
      if (shared.length === 0)
        return refused(
          `token audiences ${JSON.stringify(own)} is invalid for the target audiences ${JSON.stringify(audiences)}`,
        );
      return accountUser(claims, shared, store);
    },
  };
}

/** Tokens whose signatures are remembered; far more than a cluster of processes on one machine has. */
const verifiedTokens = 4_096;

function accountUser(claims: JsonObject, audiences: readonly string[], store: Store): Authentication {
  const at = (...path: string[]) => String(valueAt(claims, 'kubernetes.io', ...path) ?? '');
  const namespace = at('namespace');
  const account = store.read('serviceaccounts.', namespace, at('serviceaccount', 'name'));
  if (account === undefined || account.metadata.uid !== at('serviceaccount', 'uid')) {
    return refused(`service account ${namespace}/${at('serviceaccount', 'name')} has been deleted`);
  }
  const extra: Record<string, readonly string[]> = {
    'authentication.kubernetes.io/credential-id': [`JTI=${claims.jti}`],
  };
  if (isObject(valueAt(claims, 'kubernetes.io', 'pod'))) {
    const pod = store.read('pods.', namespace, at('pod', 'name'));
    if (pod === undefined || pod.metadata.uid !== at('pod', 'uid'))
      return refused(`pod ${namespace}/${at('pod', 'name')} has been deleted`);
    extra['authentication.kubernetes.io/pod-name'] = [at('pod', 'name')];
    extra['authentication.kubernetes.io/pod-uid'] = [at('pod', 'uid')];
    const node = valueAt(pod, 'spec', 'nodeName');
    if (typeof node === 'string') extra['authentication.kubernetes.io/node-name'] = [node];
  }
  const username = `system:serviceaccount:${namespace}:${account.metadata.name}`;
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'];
  return { ok: true, audiences, user: { username, uid: account.metadata.uid ?? '', groups, extra } };
}
