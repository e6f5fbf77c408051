// The record layer of TLS 1.3 (RFC 8446, section 5) for a connection whose handshake OpenSSL has made. OpenSSL keeps some
// 25 KiB for a connection as long as it is open, and ten thousand agents are open all the time; what is needed after the
// handshake is two keys and two counters. The ciphers themselves are OpenSSL's. What an agent has no use for in the hour
// that its connection lasts (new keys, renegotiation, other suites) ends the connection instead of being understood.
import { createCipheriv, createDecipheriv, createHmac, createSecretKey, type KeyObject } from 'node:crypto';

/** The one suite that every implementation of TLS 1.3 must have (section 9.1). */
export const cipherSuite = 'TLS_AES_128_GCM_SHA256';

export const contentTypes = { alert: 21, applicationData: 23 } as const;

/** The lowest type there is. */
const changeCipherSpec = 20;
const headerBytes = 5;
const keyBytes = 16;
const nonceBytes = 12;
const tagBytes = 16;
const maxPlaintext = 2 ** 14;
const maxCiphertext = maxPlaintext + 256;

/** One direction of a connection. */
export interface Direction {
  /** As an object: from bytes, Node 24.21 makes ciphers at seven times the cost. */
  readonly key: KeyObject;
  /** The part of the nonce that stays. */
  readonly nonce: Buffer;
  /** Number of the next record. */
  sequence: number;
}

/** `sequence`: how many records have been protected with this secret before. */
export function directionOf(trafficSecret: Buffer, sequence: number): Direction {
  // Not out of Buffer's pool, whose slabs these few bytes would keep.
  const nonce = Buffer.allocUnsafeSlow(nonceBytes);
  expand(trafficSecret, 'iv', nonceBytes).copy(nonce);
  return { key: createSecretKey(expand(trafficSecret, 'key', keyBytes)), nonce, sequence };
}

/** HKDF-Expand-Label (section 7.1) with an empty context, for what fits into one SHA-256. */
function expand(secret: Buffer, label: string, length: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`);
  const info = Buffer.concat([Buffer.from([0, length, name.length]), name, Buffer.from([0, 1])]);
  return createHmac('sha256', secret).update(info).digest().subarray(0, length);
}

const scratch = Buffer.alloc(nonceBytes);

/** The nonce of the next record, which is counted; valid until it is asked for again. */
function nextNonce(direction: Direction): Buffer {
  direction.nonce.copy(scratch);
  const { sequence } = direction;
  scratch.writeUInt32BE((scratch.readUInt32BE(4) ^ Math.floor(sequence / 2 ** 32)) >>> 0, 4);
  scratch.writeUInt32BE((scratch.readUInt32BE(8) ^ sequence) >>> 0, 8);
  direction.sequence += 1;
  return scratch;
}

/** Hands out every whole record at the start of `bytes`, its header included. Returns what is left of them, or undefined
 * when what follows is no record. */
export function cutRecords(bytes: Buffer, record: (record: Buffer) => void): Buffer | undefined {
  let at = 0;
  while (bytes.length - at >= headerBytes) {
    const type = bytes[at]!;
    const length = bytes.readUInt16BE(at + 3);
    if (type < changeCipherSpec || type > contentTypes.applicationData || length > maxCiphertext) return undefined;
    const end = at + headerBytes + length;
    if (end > bytes.length) break;
    record(bytes.subarray(at, end));
    at = end;
  }
  return bytes.subarray(at);
}

/** The type on a record's outside. Of protected ones it is always application data. */
export const outerTypeOf = (record: Buffer): number | undefined => record[0];

export interface Opened {
  readonly type: number;
  readonly content: Buffer;
}

/** Takes the protection off a whole record; undefined when it was not made with these keys as the next of its direction. */
export function openRecord(direction: Direction, record: Buffer): Opened | undefined {
  if (outerTypeOf(record) !== contentTypes.applicationData || record.length <= headerBytes + tagBytes) return undefined;
  const decipher = createDecipheriv('aes-128-gcm', direction.key, nextNonce(direction));
  decipher.setAAD(record.subarray(0, headerBytes));
  decipher.setAuthTag(record.subarray(record.length - tagBytes));
  const inner = decipher.update(record.subarray(headerBytes, record.length - tagBytes));
  try {
    decipher.final();
  } catch {
    // OpenSSL's only word for a tag that does not fit.
    return undefined;
  }
  // Behind the content is its type, and behind that as many zeros as the sender liked.
  let end = inner.length - 1;
  while (end > 0 && inner[end] === 0) end -= 1;
  return { type: inner[end]!, content: inner.subarray(0, end) };
}

/** Content of any length as protected records, one behind the other. */
export function sealRecords(direction: Direction, type: number, content: Buffer): Buffer {
  const records: Buffer[] = [];
  for (let at = 0; at < content.length; at += maxPlaintext) {
    const part = content.subarray(at, at + maxPlaintext);
    const length = part.length + 1 + tagBytes;
    const header = Buffer.from([contentTypes.applicationData, 3, 3, length >> 8, length & 0xff]);
    const cipher = createCipheriv('aes-128-gcm', direction.key, nextNonce(direction));
    cipher.setAAD(header);
    records.push(header, cipher.update(part), cipher.update(Buffer.from([type])), cipher.final(), cipher.getAuthTag());
  }
  return Buffer.concat(records);
}

/** What is said before a connection is closed on purpose. */
export const sealFarewell = (direction: Direction): Buffer =>
  sealRecords(direction, contentTypes.alert, Buffer.from([1, 0]));

/** Whether an alert is such a farewell. */
export const isFarewell = ({ type, content }: Opened): boolean =>
  type === contentTypes.alert && content.length === 2 && content[1] === 0;
