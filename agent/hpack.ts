// Reads the header fields of HTTP/2 (HPACK, RFC 7541) as far as somebody asks for them. Both ends of a connection keep a
// table of fields they used, so every block has to be followed, the unwanted ones too; of those only sizes are kept. What is
// not understood ends the reading for good, because whatever comes after may lean on it. Ours, because what is published
// was left alone for ten years, or brings a library of streams along; node:http2 is the judge in the tests.
import { maxHeaderTableBytes } from './limits.ts';

export interface HeaderDecoder {
  /** The wanted fields of one whole block by name; undefined when it is not understood, and then for ever after. */
  decode(block: Buffer): ReadonlyMap<string, string> | undefined;
}

interface Field {
  /** Empty where nobody asks for it. */
  readonly name: string;
  readonly value: string;
  readonly nameBytes: number;
  readonly bytes: number;
}

/** What an entry costs beside its text. */
const entryBytes = 32;
const names =
  ':authority :method:GET :method:POST :path:/ :path:/index.html :scheme:http :scheme:https :status:200 :status:204 ' +
  ':status:206 :status:304 :status:400 :status:404 :status:500 accept-charset accept-encoding accept-language ' +
  'accept-ranges accept access-control-allow-origin age allow authorization cache-control content-disposition ' +
  'content-encoding content-language content-length content-location content-range content-type cookie date etag expect ' +
  'expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified link location ' +
  'max-forwards proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie ' +
  'strict-transport-security transfer-encoding user-agent vary via www-authenticate';
/** The fields that both ends know from the start. Only values that somebody may ask for are written down. */
const staticFields: readonly Field[] = names.split(' ').map((entry) => {
  const [, name = '', value = ''] = /^(:?[^:]+):?(.*)$/.exec(entry) ?? [];
  return { name, value, nameBytes: name.length, bytes: 0 };
});

/** How many bits the code of each byte takes, in base 36, the end of text behind them. The code is canonical: this is all of it. */
const codeLengths =
  'dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca' +
  'd67777777777777777777777878djde6f56565666577666567655677777fbeds' +
  'kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn' +
  'qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrqu';
const longestCode = 30;
const endOfText = 256;

interface Code {
  /** By length: the first code, how many there are, and where their bytes begin in `bytes`. */
  readonly first: Uint32Array;
  readonly count: Uint16Array;
  readonly start: Uint16Array;
  readonly bytes: Uint16Array;
}

/** Made when the first connection needs it. */
let madeCode: Code | undefined;

function makeCode(): Code {
  const code: Code = {
    first: new Uint32Array(longestCode + 1),
    count: new Uint16Array(longestCode + 1),
    start: new Uint16Array(longestCode + 1),
    bytes: new Uint16Array(endOfText + 1),
  };
  let next = 0;
  let placed = 0;
  for (let length = 1; length <= longestCode; length += 1) {
    next *= 2;
    code.first[length] = next;
    code.start[length] = placed;
    for (let byte = 0; byte <= endOfText; byte += 1) {
      if (Number.parseInt(codeLengths[byte]!, 36) === length) code.bytes[placed++] = byte;
    }
    code.count[length] = placed - code.start[length]!;
    next += code.count[length]!;
  }
  return code;
}

const nothing = Buffer.alloc(0);

/** One direction of one connection. */
export function createHeaderDecoder(wanted: ReadonlySet<string>): HeaderDecoder {
  madeCode ??= makeCode();
  const { first, count, start, bytes } = madeCode;
  /** Oldest first. */
  const table: Field[] = [];
  let tableBytes = 0;
  let tableLimit = maxHeaderTableBytes;
  let broken = false;
  // Where reading stands in a block.
  let block: Buffer = nothing;
  let at = 0;
  let textBytes = 0;

  const fail = (): '' => {
    broken = true;
    return '';
  };

  const readInteger = (prefixBits: number): number => {
    const mask = (1 << prefixBits) - 1;
    let value = block[at++]! & mask;
    if (value < mask) return value;
    for (let scale = 1; scale <= 2 ** 21 && at < block.length; scale *= 128) {
      const byte = block[at++]!;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    fail();
    return 0;
  };

  /** Reads a text, and builds it only when it is asked for; `textBytes` is its length. */
  const readText = (asked: boolean): string => {
    if (at >= block.length) return fail();
    const coded = (block[at]! & 0x80) !== 0;
    textBytes = readInteger(7);
    const from = at;
    at += textBytes;
    if (broken || at > block.length) return fail();
    if (coded) return readCoded(from, asked);
    return asked ? block.toString('latin1', from, at) : '';
  };

  const readCoded = (from: number, asked: boolean): string => {
    let text = '';
    let code = 0;
    let length = 0;
    textBytes = 0;
    for (let place = from; place < at; place += 1) {
      for (let bit = 7; bit >= 0; bit -= 1) {
        code = code * 2 + ((block[place]! >> bit) & 1);
        length += 1;
        const index = code - first[length]!;
        if (index >= count[length]!) {
          if (length === longestCode) return fail();
          continue;
        }
        const byte = bytes[start[length]! + index]!;
        if (byte === endOfText) return fail();
        if (asked) text += String.fromCharCode(byte);
        textBytes += 1;
        code = 0;
        length = 0;
      }
    }
    // The last byte is filled up with ones.
    return length > 7 || code !== 2 ** length - 1 ? fail() : text;
  };

  const shrinkTo = (room: number): void => {
    while (tableBytes > room) tableBytes -= table.shift()!.bytes;
  };

  const fieldAt = (index: number): Field | undefined => {
    const field =
      index <= staticFields.length ? staticFields[index - 1] : table[table.length - index + staticFields.length];
    if (field === undefined) fail();
    return field;
  };

  /** A name, by index or written out, and the value behind it. */
  const readField = (prefixBits: number): Field | undefined => {
    const index = readInteger(prefixBits);
    if (broken) return undefined;
    const known = index === 0 ? undefined : fieldAt(index);
    const written = index === 0 ? readText(true) : '';
    const nameBytes = known?.nameBytes ?? textBytes;
    const name = known?.name ?? written;
    const isWanted = wanted.has(name);
    const value = broken ? '' : readText(isWanted);
    return { name: isWanted ? name : '', value, nameBytes, bytes: entryBytes + nameBytes + textBytes };
  };

  const keep = (field: Field): void => {
    shrinkTo(Math.max(0, tableLimit - field.bytes));
    if (field.bytes > tableLimit) return;
    table.push(field);
    tableBytes += field.bytes;
  };

  const readBlock = (): ReadonlyMap<string, string> => {
    const found = new Map<string, string>();
    let begun = false;
    while (at < block.length && !broken) {
      const byte = block[at]!;
      if ((byte & 0xe0) === 0x20) {
        tableLimit = readInteger(5);
        if (begun || tableLimit > maxHeaderTableBytes) fail();
        shrinkTo(tableLimit);
        continue;
      }
      begun = true;
      const isIndexed = byte >= 0x80;
      const isKept = !isIndexed && byte >= 0x40;
      const field = isIndexed ? fieldAt(readInteger(7)) : readField(isKept ? 6 : 4);
      if (field === undefined || broken) break;
      if (isKept) keep(field);
      if (!wanted.has(field.name)) continue;
      const before = found.get(field.name);
      // Said twice, it is joined as in HTTP/1, and nothing that anybody takes for a status.
      found.set(field.name, before === undefined ? field.value : `${before}, ${field.value}`);
    }
    return found;
  };

  return {
    decode(given) {
      if (broken) return undefined;
      block = given;
      at = 0;
      const found = readBlock();
      // Not kept: it is part of a buffer that is used again.
      block = nothing;
      return broken ? undefined : found;
    },
  };
}
