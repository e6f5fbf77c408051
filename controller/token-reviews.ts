// Which pod a token belongs to, by the API server's word, asked once a token. Tokens are remembered by their hash until
// they run out, so that ten thousand agents cost ten thousand reviews an hour and not a second.
import { createHash } from 'node:crypto';
import type { Clock } from '@kubeai/daemon';
import { type KubeClient, type KubeObject, resources } from '@kubeai/kube';
import type { PodIdentity } from '@kubeai/protocol';
import { after, type Instant, instant } from '@kubeai/units';
import { limits } from './limits.ts';

export type TokenVerdict =
  | { readonly kind: 'pod'; readonly pod: PodIdentity; readonly until: Instant }
  | { readonly kind: 'refused'; readonly message: string; readonly until: Instant }
  /** The API server cannot be asked now, or too many wait: come back later. */
  | { readonly kind: 'unavailable'; readonly message: string };

export interface TokenReviews {
  review(token: string): Promise<TokenVerdict>;
}

interface TokenReview extends KubeObject {
  readonly status?: {
    readonly authenticated?: boolean;
    readonly audiences?: readonly string[];
    readonly error?: string;
    readonly user?: { readonly username?: string; readonly extra?: Readonly<Record<string, readonly string[]>> };
  };
}

export const audience = 'kubeai.io';
const podName = 'authentication.kubernetes.io/pod-name';
const podUid = 'authentication.kubernetes.io/pod-uid';

export function createTokenReviews(client: KubeClient, clock: Clock): TokenReviews {
  const remembered = new Map<string, TokenVerdict & { readonly until: Instant }>();
  const underWay = new Map<string, Promise<TokenVerdict>>();
  const waiting: (() => void)[] = [];
  let asking = 0;

  async function ask(token: string): Promise<TokenVerdict> {
    if (asking >= limits.tokenReviews) {
      if (waiting.length >= limits.waitingTokenReviews) return { kind: 'unavailable', message: 'too many agents wait' };
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
    asking += 1;
    try {
      const spec = { token, audiences: [audience] };
      const review = await client.create<TokenReview>(resources.tokenReviews, { metadata: {}, spec } as never);
      return verdictOf(review.status ?? {}, token, clock.now());
    } catch (cause) {
      return { kind: 'unavailable', message: `the API server could not be asked: ${(cause as Error).message}` };
    } finally {
      asking -= 1;
      waiting.shift()?.();
    }
  }

  return {
    async review(token) {
      const hash = createHash('sha256').update(token).digest('base64');
      const known = remembered.get(hash);
      if (known !== undefined && known.until > clock.now()) return known;
      let asked = underWay.get(hash);
      if (asked === undefined) {
        asked = ask(token).finally(() => underWay.delete(hash));
        underWay.set(hash, asked);
      }
      const verdict = await asked;
      if (verdict.kind !== 'unavailable') {
        remembered.delete(hash);
        remembered.set(hash, verdict);
        if (remembered.size > limits.rememberedTokens) remembered.delete(remembered.keys().next().value!);
      }
      return verdict;
    },
  };
}

function verdictOf(status: NonNullable<TokenReview['status']>, token: string, now: Instant): TokenVerdict {
  const refused = (message: string): TokenVerdict => ({
    kind: 'refused',
    message,
    until: after(now, limits.refusedTokenFor),
  });
  if (status.authenticated !== true) return refused(status.error ?? 'the API server does not know the token');
  // A server that does not know about audiences leaves them out, and would accept any token of the cluster.
  if (!status.audiences?.includes(audience)) return refused(`the token is not meant for the audience ${audience}`);
  const account = /^system:serviceaccount:([^:]+):/.exec(status.user?.username ?? '');
  const name = status.user?.extra?.[podName]?.[0];
  const uid = status.user?.extra?.[podUid]?.[0];
  if (account === null || name === undefined || uid === undefined) return refused('the token belongs to no pod');
  const trust = after(now, limits.longestTokenTrust);
  const end = Math.min(trust, expiryOf(token) ?? after(now, limits.unknownTokenLife));
  // It has just been found good: when it has run out by our clock, our clock is wrong.
  const until = instant(Math.max(end, after(now, limits.leastTokenTrust)));
  return { kind: 'pod', pod: { namespace: account[1]!, name, uid }, until };
}

/** When the token says it runs out. Only a hint for how long to remember: the API server has judged it. */
function expiryOf(token: string): Instant | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    const expiry = (claims as { exp?: unknown } | null)?.exp;
    return typeof expiry === 'number' ? instant(expiry * 1_000) : undefined;
  } catch {
    // No JWT: then only the API server knows, and will be asked again.
    return undefined;
  }
}
