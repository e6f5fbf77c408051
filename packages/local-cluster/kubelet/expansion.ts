// `$(NAME)` in commands, arguments and values of the environment. Pure.

/** Replaces `$(NAME)` by its value; `$$` is a plain `$`; a name that is unknown stays as it is written. */
export function expand(text: string, variables: ReadonlyMap<string, string>): string {
  return text.replace(/\$(\$|\(([^)]*)\))/g, (written, inner: string, name: string | undefined) =>
    inner === '$' ? '$' : (variables.get(name ?? '') ?? written),
  );
}
