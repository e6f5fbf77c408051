// Where the server says what nobody's answer can carry: a webhook that failed open, a watcher that was cut. Any
// structured log fits (`@kubeai/daemon`'s does); without one it is silent.
export interface ServerLog {
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

export const silentLog: ServerLog = { warn: () => undefined, info: () => undefined };
