// What a container's command line and environment say of the port it serves on, and whether that port speaks TLS. A
// command line may be a shell script and may name its port by a variable; some servers have a port for gRPC that is
// called just --port, beside a longer flag for HTTP.
import { type Container, isPort } from './pod.ts';

/** Environment variables by which images are told their port, some as HOST:PORT. */
const portVariables = [
  'AIP_HTTP_PORT',
  'NIM_SERVER_PORT',
  'NIM_HTTP_API_PORT',
  'DYN_HTTP_PORT',
  'MLSERVER_HTTP_PORT',
  'LLAMA_ARG_PORT',
  'OLLAMA_HOST',
  'PORT',
  'SERVER_PORT',
  'HTTP_PORT',
];
const httpFlag = /(?:^|\s)--(?:http|rest|rest[-_]api|server)[-_]port[=\s]+["']?(\d{2,5})\b/;
const plainFlag = /(?:^|\s)--port[=\s]+["']?(\d{2,5})\b/;
/** TGI and TEI. Four digits at least: other programs of a script mean something else by -p. */
const shortFlag = /(?:^|\s)-p[=\s]+["']?(\d{4,5})(?=["'\s]|$)/;
const tlsFlag = /(?:^|\s)--ssl[-_](?:cert|key)[-_]?file[=\s]+["']?\S/;
/** What stands for a variable: $(NAME) in Kubernetes; $NAME, ${NAME} and ${NAME:-default} in a shell. */
const reference = /\$(?:\((\w+)\)|\{(\w+)(?::?-([^}]{0,64}))?\}|(\w+))/g;

/** The port on the command line (`--port 8000`, `--port=$PORT`, also inside a shell script), else in a variable. */
export function toldPort(container: Container): number | undefined {
  const line = commandLineOf(container);
  const variables = portVariables.map((name) => container.env?.find((entry) => entry.name === name)?.value ?? '');
  const said = [
    httpFlag.exec(line),
    plainFlag.exec(line),
    shortFlag.exec(line),
    ...variables.map((value) => /(?:^|:)(\d{2,5})$/.exec(value)),
  ].find((match) => match !== null);
  const port = Number(said?.[1]);
  return isPort(port) ? port : undefined;
}

/** Whether the server is given a certificate, as vLLM, SGLang and llama.cpp are. */
export const isToldTls = (container: Container): boolean => tlsFlag.test(commandLineOf(container));

/** One line, with variables in it; without the commands that start Ray, whose --port is no port of requests. */
function commandLineOf({ command, args, env }: Container): string {
  const written = [...(command ?? []), ...(args ?? [])].join(' ').replaceAll('\\\n', ' ');
  const values = new Map((env ?? []).map(({ name, value }) => [name, value ?? '']));
  return written
    .replace(reference, (_text, ours, braced, fallback, bare) => values.get(ours ?? braced ?? bare) ?? fallback ?? '')
    .split(/[;&|\n]/)
    .filter((one) => !/\bray\s+start\b/.test(one))
    .join('\n');
}
