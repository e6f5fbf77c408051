// Reads the head of an HTTP/1 message: strictly, because two parsers that read one message differently are how requests
// are smuggled. What is not written exactly as RFC 9112 wants it (folded lines, bare line feeds, two lengths, a length
// beside an encoding) has no meaning here, and the connection passes through unobserved.

/** How a body ends: its length in bytes, or one of the ways below. */
export type BodyLength = number;
export const chunkedBody = -1;
export const bodyUntilClose = -2;

export interface RequestHead {
  readonly method: string;
  readonly path: string;
  readonly body: BodyLength;
  /** Another request may follow on this connection. */
  readonly persistent: boolean;
  readonly userAgent: string;
}

export interface ResponseHead {
  readonly status: number;
  /** As the header lines say; status and method may overrule it. */
  readonly body: BodyLength;
  readonly contentType: string;
  readonly contentEncoding: string;
}

const token = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
// A path, a whole URL as proxies get it, or the server itself.
const target = '(?:/|\\*|https?://)[!-~\\x80-\\xff]*';
// No control characters but the tab.
const text = '[\\t -~\\x80-\\xff]*';
const requestLine = new RegExp(`^(${token}) (${target}) HTTP/1\\.([01])(?=\\r\\n|$)`);
const statusLine = new RegExp(`^HTTP/1\\.([01]) ([1-5]\\d\\d)(?: ${text})?(?=\\r\\n|$)`);
const quotedText = '"(?:[\\t !#-\\[\\]-~\\x80-\\xff]|\\\\[\\t -~])*"';
const extensions = new RegExp(`^(?:;${token}(?:=(?:${token}|${quotedText}))?)+$`);
const fieldLines = new RegExp(`(?:\\r\\n${token}:${text})*$`, 'y');
// The few fields that say something here. Only behind `fieldLines`, which knows that every line end begins a field.
const ownFields = new RegExp(
  `\\r\\n(connection|user-agent|content-type|content-length|content-encoding|transfer-encoding):(${text})`,
  'gi',
);

/** Reads a request's head, given without the empty line that ends it; undefined when it is not plain HTTP/1. */
export function parseRequestHead(head: string): RequestHead | undefined {
  const line = requestLine.exec(head);
  if (line === null) return undefined;
  const fields = readFields(head, line[0].length);
  if (fields === undefined) return undefined;
  const old = line[3] === '0';
  // HTTP/1.0 knows no transfer coding: what a server makes of one is anybody's guess.
  if (old && fields.body === chunkedBody) return undefined;
  return {
    method: line[1]!,
    path: line[2]!,
    body: fields.body === bodyUntilClose ? 0 : fields.body,
    persistent: old ? /\bkeep-alive\b/i.test(fields.connection) : !/\bclose\b/i.test(fields.connection),
    userAgent: fields.userAgent,
  };
}

/** Reads a response's head, given without the empty line that ends it; undefined when it is not plain HTTP/1. */
export function parseResponseHead(head: string): ResponseHead | undefined {
  const line = statusLine.exec(head);
  if (line === null) return undefined;
  const fields = readFields(head, line[0].length);
  if (fields === undefined || (line[1] === '0' && fields.body === chunkedBody)) return undefined;
  return {
    status: Number(line[2]),
    body: fields.body,
    contentType: fields.contentType,
    contentEncoding: fields.contentEncoding,
  };
}

/** Whether these lines, each begun by a line end, may stand behind the last chunk: they are fields and frame nothing. */
export function areTrailers(lines: string): boolean {
  const fields = readFields(lines, 0);
  return fields !== undefined && fields.body === bodyUntilClose;
}

/** Whether this may stand behind the size of a chunk, its first semicolon included. */
export const areExtensions = (text: string): boolean => extensions.test(text);

interface Fields {
  body: BodyLength;
  connection: string;
  userAgent: string;
  contentType: string;
  contentEncoding: string;
}

/** A tab behind a length or a coding is allowed by the standard and refused by llhttp, and so by half of all servers. */
function readFields(head: string, from: number): Fields | undefined {
  fieldLines.lastIndex = from;
  if (!fieldLines.test(head)) return undefined;
  const fields: Fields = { body: bodyUntilClose, connection: '', userAgent: '', contentType: '', contentEncoding: '' };
  ownFields.lastIndex = from;
  for (let match = ownFields.exec(head); match !== null; match = ownFields.exec(head)) {
    const value = match[2]!;
    // No two of them are of one length but these: cheaper than comparing names in small letters.
    switch (match[1]!.length) {
      case 10:
        if ((match[1]!.charCodeAt(0) | 0x20) === 0x63) fields.connection += `,${value}`;
        else fields.userAgent = value.trim();
        break;
      case 12:
        fields.contentType = value.trim().toLowerCase();
        break;
      case 14:
        if (fields.body !== bodyUntilClose || !/^[ \t]*\d{1,15} *$/.test(value)) return undefined;
        fields.body = Number(value);
        break;
      case 16:
        fields.contentEncoding = value.trim().toLowerCase();
        break;
      case 17:
        if (fields.body !== bodyUntilClose || !/^[ \t]*chunked *$/i.test(value)) return undefined;
        fields.body = chunkedBody;
        break;
    }
  }
  return fields;
}
