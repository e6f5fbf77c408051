// Answers `NAME.NAMESPACE.svc.DOMAIN` for Services, in the place of CoreDNS: agents find the controller by name. It knows
// nothing but cluster addresses; a question about anything else in the domain is answered with "no such name".
import { createSocket } from 'node:dgram';
import type { Clock, Log } from '@kubeai/daemon';
import { createReflector, type KubeClient, type KubeObject, resources } from '@kubeai/kube';

interface Service extends KubeObject {
  readonly spec: { readonly clusterIP?: string };
}

export interface NameServerOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly address: string;
  readonly domain: string;
}

export interface Question {
  readonly name: string;
  readonly type: number;
  /** Where the question ends in the message. */
  readonly end: number;
}

const headerBytes = 12;
const typeA = 1;
const noSuchName = 3;

/** The first question of a message; undefined when there is none that can be read. */
export function questionOf(message: Buffer): Question | undefined {
  if (message.length < headerBytes || message.readUInt16BE(4) === 0) return undefined;
  const labels: string[] = [];
  let at = headerBytes;
  for (;;) {
    const length = message[at];
    // Compression has no place in a question.
    if (length === undefined || length > 63 || at + 1 + length > message.length) return undefined;
    at += 1;
    if (length === 0) break;
    labels.push(message.toString('latin1', at, at + length));
    at += length;
  }
  if (at + 4 > message.length) return undefined;
  return { name: labels.join('.').toLowerCase(), type: message.readUInt16BE(at), end: at + 4 };
}

/** The answer to a question: the address, nothing of the wanted type, or (without an address) no such name. */
export function answerTo(message: Buffer, question: Question, address: string | undefined): Buffer {
  const header = Buffer.alloc(headerBytes);
  message.copy(header, 0, 0, 2);
  // A response, authoritative, recursion as asked for.
  header.writeUInt16BE(0x8480 | (message.readUInt16BE(2) & 0x0100) | (address === undefined ? noSuchName : 0), 2);
  header.writeUInt16BE(1, 4);
  const asked = message.subarray(headerBytes, question.end);
  if (address === undefined || question.type !== typeA) return Buffer.concat([header, asked]);
  header.writeUInt16BE(1, 6);
  // The name by reference to the question, type A, class IN, five seconds, four bytes.
  const record = Buffer.from([0xc0, headerBytes, 0, typeA, 0, 1, 0, 0, 0, 5, 0, 4, ...address.split('.').map(Number)]);
  return Buffer.concat([header, asked, record]);
}

/** Listens on UDP port 53 of the address. */
export async function startNameServer({ client, clock, log, address, domain }: NameServerOptions): Promise<void> {
  const services = createReflector<Service>({ client, clock, log, resource: resources.services });
  const suffix = `.svc.${domain}`;
  const addressOf = (asked: string): string | undefined => {
    if (!asked.endsWith(suffix)) return undefined;
    const [name = '', namespace = '', ...more] = asked.slice(0, -suffix.length).split('.');
    const clusterIP = more.length > 0 ? undefined : services.read({ namespace, name })?.spec.clusterIP;
    return clusterIP === 'None' ? undefined : clusterIP;
  };
  const socket = createSocket('udp4', (message, sender) => {
    const question = questionOf(message);
    if (question === undefined) return;
    socket.send(answerTo(message, question, addressOf(question.name)), sender.port, sender.address);
  });
  await services.synced;
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(53, address, resolve);
  });
}
