// A controller as the agent sees one: an HTTPS server that lets agents in, takes reports, reads them with the protocol's own parser and
// acknowledges them, or does not.
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import {
  createLineReader,
  encodeAcknowledgement,
  maxReportBytes,
  parseReportLine,
  type Report,
  reportsProtocol,
} from '@kubeai/protocol';
import { SubjectAlternativeNameExtension, X509CertificateGenerator } from '@peculiar/x509';

export const serverName = 'kubeai-controller.test';

export interface Received {
  readonly report: Report;
  readonly connection: number;
  readonly token: string;
}

export interface Controller {
  readonly url: URL;
  readonly received: Received[];
  readonly problems: string[];
  readonly tokens: string[];
  /** Of each connection, whether it went on with the session of an earlier one. */
  readonly resumed: boolean[];
  connections(): number;
  /** What becomes of the next requests and reports. */
  mode: 'acknowledge' | 'silent' | 'unauthorized' | 'refuse';
  /** Cuts every connection, as a killed process does. */
  cut(): void;
  close(): Promise<void>;
}

export interface Identity {
  readonly key: string;
  readonly cert: string;
}

const pem = (label: string, bytes: ArrayBuffer): string =>
  `-----BEGIN ${label}-----\n${Buffer.from(bytes).toString('base64').replace(/.{64}/g, '$&\n')}\n-----END ${label}-----\n`;

/** A certificate that is its own authority. */
export async function createIdentity(): Promise<Identity> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${serverName}`,
    keys,
    signingAlgorithm: algorithm,
    extensions: [new SubjectAlternativeNameExtension([{ type: 'dns', value: serverName }])],
  });
  return {
    key: pem('PRIVATE KEY', await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)),
    cert: certificate.toString('pem'),
  };
}

/** Listens on `port`, or on any. */
export async function startController(identity: Identity, port = 0): Promise<Controller> {
  const sockets = new Set<Socket>();
  const received: Received[] = [];
  const problems: string[] = [];
  const tokens: string[] = [];
  const resumed: boolean[] = [];
  let connections = 0;
  const server = createServer({ ...identity });
  server.on('upgrade', (request: IncomingMessage, socket: Socket) => {
    connections += 1;
    const connection = connections;
    const token = request.headers.authorization ?? '';
    tokens.push(token);
    resumed.push((socket as TLSSocket).isSessionReused());
    if (controller.mode === 'unauthorized') {
      socket.end('HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
      return;
    }
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${reportsProtocol}\r\n\r\n`);
    const lines = createLineReader(
      maxReportBytes,
      (line) => {
        const parsed = parseReportLine(line);
        if (!parsed.ok) problems.push(...parsed.problems.map(({ field, message }) => `${field} ${message}`));
        else {
          received.push({ report: parsed.value, connection, token });
          const { sequence } = parsed.value;
          if (controller.mode === 'acknowledge') socket.write(encodeAcknowledgement({ kind: 'accepted', sequence }));
          if (controller.mode === 'refuse')
            socket.write(encodeAcknowledgement({ kind: 'refused', reason: 'Malformed', message: 'no' }));
        }
      },
      () => problems.push('a line was too long'),
    );
    socket.on('data', (chunk: Buffer) => lines.feed(chunk));
    socket.on('end', () => socket.end());
    socket.on('error', () => undefined);
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const controller: Controller = {
    url: new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}`),
    received,
    problems,
    tokens,
    resumed,
    connections: () => connections,
    mode: 'acknowledge',
    cut() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    async close() {
      controller.cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return controller;
}

/** Writes a pod's credentials as kubelet projects them. */
export async function writeCredentials(directory: string, token: string, ca: string) {
  const files = { tokenFile: `${directory}/token`, caFile: `${directory}/ca.crt` };
  await writeFile(files.tokenFile, token);
  await writeFile(files.caFile, ca);
  return files;
}
