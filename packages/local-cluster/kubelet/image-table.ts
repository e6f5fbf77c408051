// What stands in for a registry: image names mapped to commands of this machine. Pure.

export interface LocalImage {
  /** What runs when a container names no command; args are appended. May name variables of the container as $(NAME). */
  readonly entrypoint: readonly string[];
  /** The arguments when a container gives none. */
  readonly defaultArguments?: readonly string[];
  /** Whether a container's own `command` is run as it is, found in PATH; otherwise there is no such program. */
  readonly runsAnything: boolean;
  /** Set for every container of the image, before its own variables. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** By name without registry, tag and digest: `kubeai/agent`, `node`. */
export type ImageTable = Readonly<Record<string, LocalImage>>;

/** `docker.io/library/node:20@sha256:…` and `node` are the same image here. */
export function imageName(reference: string): string {
  const name = reference.replace(/@.*$/, '').replace(/:[^/:]*$/, '');
  const [first = '', ...rest] = name.split('/');
  const isRegistry = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  return (isRegistry ? rest.join('/') : name).replace(/^library\//, '');
}

/** What a container of the image runs, before variables are expanded; undefined when it has no such program. */
export function commandOf(
  image: LocalImage,
  { command = [], args }: { readonly command?: readonly string[]; readonly args?: readonly string[] },
): readonly string[] | undefined {
  if (command.length > 0) return image.runsAnything ? [...command, ...(args ?? [])] : undefined;
  return [...image.entrypoint, ...(args ?? image.defaultArguments ?? [])];
}
