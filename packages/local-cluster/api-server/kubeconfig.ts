// A kubeconfig as text, for kubectl and every client library.
import { stringify } from 'yaml';

export interface KubeconfigParts {
  readonly url: string;
  /** PEM of the authority that signed the server's certificate. */
  readonly authority: string;
  readonly user: string;
  readonly token: string;
  readonly namespace?: string | undefined;
}

export function kubeconfigText({ url, authority, user, token, namespace = 'default' }: KubeconfigParts): string {
  const cluster = 'local';
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: cluster,
        cluster: { server: url, 'certificate-authority-data': Buffer.from(authority).toString('base64') },
      },
    ],
    users: [{ name: user, user: { token } }],
    contexts: [{ name: `${user}@${cluster}`, context: { cluster, user, namespace } }],
    'current-context': `${user}@${cluster}`,
  });
}
