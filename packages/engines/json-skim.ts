// Picks a few values out of JSON that passes by, without building it: bytes in, any chunking, nothing kept but a small
// stack. A proxy looks at every event of every stream; parsing each would cost several times more than the forwarding.
// It follows the structure (so text that merely looks like a key is not one) but does not check every rule of JSON.
import type { Buffer } from 'node:buffer';
import { type CompiledPaths, slotOf, slots, wordHash } from './key-paths.ts';
import { limits } from './limits.ts';
import { createRememberedBeginning } from './remembered-beginning.ts';

export interface SkimSink {
  readonly text: (code: number) => void;
  readonly number: (code: number, value: number) => void;
  readonly string: (code: number, value: string) => void;
  /** Says whether the word meant anything; the skim remembers beginnings of values that mean nothing. */
  readonly word: (code: number, hash: number) => boolean;
  readonly yes: (code: number) => void;
  readonly open: (code: number) => void;
}

export interface Skim {
  /**
   * Reads on from `start` and returns where it stopped: with `byLine` at a line end (which stays unread), else behind
   * the end of the value or where its structure broke, and otherwise at `end`.
   */
  readonly feed: (bytes: Buffer, start: number, end: number, byLine: boolean) => number;
  /** Ready for the next value. */
  readonly reset: () => void;
  /** What follows is another body: nothing of the last one's beginnings is compared with it. */
  readonly forget: () => void;
  /** The value has ended, or its end was reached without a break in its structure. */
  readonly isComplete: () => boolean;
  readonly isBroken: () => boolean;
}

const quote = 0x22;
const backslash = 0x5c;
const ignored = 1;

/** What the next byte belongs to. Plain numbers: this is read once a byte. */
const value = 0;
const keyOrEnd = 1;
const colon = 2;
const commaOrEnd = 3;
const ended = 4;
const broken = 5;
const inLiteral = 6;
const inString = 7;
const inCapture = 8;
const inWord = 9;
const inKey = 10;

/** Stands for the value of a literal that is spelled in letters. */
const spelled = -1;
/** Sign, point and exponent: what makes a number not whole. */
const inNumber = (byte: number): boolean =>
  byte === 0x2e || byte === 0x65 || byte === 0x45 || byte === 0x2b || byte === 0x2d;

const decoder = new TextDecoder();

function positionIn(bytes: Buffer, byte: number, from: number, end: number): number {
  const at = bytes.indexOf(byte, from);
  return at === -1 || at > end ? end : at;
}

/** What a JSON string says; one that was cut in an escape keeps it as written. */
function unescaped(written: string): string {
  if (!written.includes('\\')) return written;
  try {
    return String(JSON.parse(`"${written}"`));
  } catch {
    return written;
  }
}

const trueWord = wordHash('true');
const falseWord = wordHash('false');
const nullWord = wordHash('null');

const isLiteral = (hash: number): boolean => hash === trueWord || hash === falseWord || hash === nullWord;

/**
 * Never throws (unless the sink does); one pass over the bytes. The state lives in locals while bytes are read and is
 * put back before returning: in variables of the closure the same loop takes three times as long.
 */
export function createSkim(compiled: CompiledPaths, sink: SkimSink): Skim {
  const { keyOfSlot, ownerOfSlot, childOfSlot, columns } = compiled;
  const [textOf, numberOf, stringOf, wordOf, yesOf, openOf] = columns;
  const nodes = new Uint16Array(limits.jsonDepth);
  const isObject = new Uint8Array(limits.jsonDepth);
  const captured = new Uint8Array(limits.capturedBytes);
  let savedState = value;
  let savedDepth = 0;
  let savedNode = 0;
  let savedHash = 0;
  let savedWhole = 0;
  let escaped = false;
  /** Code of a text whose first byte has not come yet. */
  let textToCome = 0;
  let capturedLength = 0;
  /** Whether anything of the value was handed to the sink that a remembered beginning would leave out. */
  let meant = false;
  const beginning = createRememberedBeginning(nodes, isObject);

  const capture = (bytes: Buffer, from: number, to: number) => {
    const room = Math.min(to - from, limits.capturedBytes - capturedLength);
    for (let at = 0; at < room; at += 1) captured[capturedLength + at] = bytes[from + at]!;
    capturedLength += room;
  };

  return {
    feed(bytes, start, end, byLine) {
      let at = start;
      let state = savedState;
      let depth = savedDepth;
      let node = savedNode;
      let hash = savedHash;
      let whole = savedWhole;
      /** Known from the last search: strings without escapes would search for one again and again. */
      let nextBackslash = -1;
      /** Where the value began, when it began in these bytes and its beginning may be worth remembering. */
      let began = -1;
      if (state === value && depth === 0 && beginning.isWorthwhile()) {
        began = start;
        const passed = beginning.pass(bytes, start, end);
        if (passed > 0) {
          began = -1;
          at = start + passed;
          ({ state, depth, node } = beginning);
          textToCome = textOf[node]!;
        }
      }

      while (at < end) {
        let byte = bytes[at]!;

        if (state >= inString) {
          if (textToCome !== 0) {
            if (byte !== quote) {
              if (began !== -1 && !meant && state === inString) beginning.keep(bytes, began, at, depth, node, state);
              began = -1;
              sink.text(textToCome);
            }
            textToCome = 0;
          }
          if (escaped && !(byLine && (byte === 0x0a || byte === 0x0d))) {
            escaped = false;
            if (state === inCapture) capture(bytes, at, at + 1);
            at += 1;
            continue;
          }
          const from = at;
          if (state === inString && !byLine && end - at > limits.stringBytesReadSingly) {
            // Answers that are not streamed are one long string: native search passes it twenty times as fast as this loop.
            const near = at + limits.stringBytesReadSingly;
            while (at < near && byte !== quote && byte !== backslash) byte = bytes[++at]!;
            if (at === near) {
              if (nextBackslash < at) nextBackslash = positionIn(bytes, backslash, at, end);
              at = Math.min(nextBackslash, positionIn(bytes, quote, at, end));
              if (at < end) byte = bytes[at]!;
            }
          } else if (state <= inCapture) {
            while (byte !== quote && byte !== backslash && byte >= 0x20) {
              at += 1;
              if (at === end) break;
              byte = bytes[at]!;
            }
            if (state === inCapture) capture(bytes, from, at);
          } else {
            while (byte !== quote && byte !== backslash && byte >= 0x20) {
              hash = (Math.imul(hash, 31) + byte) | 0;
              at += 1;
              if (at === end) break;
              byte = bytes[at]!;
            }
          }
          if (at === end) break;
          if (byte === quote) {
            if (state === inKey) {
              const owner = nodes[depth - 1]!;
              node = ignored;
              for (let slot = slotOf(owner, hash); childOfSlot[slot] !== 0; slot = (slot + 1) % slots)
                if (keyOfSlot[slot] === hash && ownerOfSlot[slot] === owner) {
                  node = childOfSlot[slot]!;
                  break;
                }
              state = colon;
            } else {
              if (state === inCapture) {
                meant = true;
                sink.string(stringOf[node]!, unescaped(decoder.decode(captured.subarray(0, capturedLength))));
              } else if (state === inWord) meant = sink.word(wordOf[node]!, hash) || meant;
              state = depth === 0 ? ended : commaOrEnd;
            }
          } else if (byte === backslash) {
            escaped = true;
            if (state === inCapture) capture(bytes, at, at + 1);
          } else if (byLine && (byte === 0x0a || byte === 0x0d)) {
            state = broken;
            break;
          }
          at += 1;
          continue;
        }

        if (state === inLiteral) {
          if (byte >= 0x30 && byte <= 0x39) {
            if (whole === spelled) state = broken;
            else whole = whole * 10 + (byte - 0x30);
            at += 1;
            continue;
          }
          if (byte > 0x20 && byte !== 0x2c && byte !== 0x7d && byte !== 0x5d) {
            if (whole === spelled) hash = (Math.imul(hash, 31) + byte) | 0;
            else if (inNumber(byte)) whole = Number.NaN;
            else state = broken;
            at += 1;
            continue;
          }
          // Longer ones would be told inexactly; no server counts so far.
          if (whole >= 0 && whole <= Number.MAX_SAFE_INTEGER && numberOf[node] !== 0) {
            meant = true;
            sink.number(numberOf[node]!, whole);
          } else if (whole === spelled && hash === trueWord && yesOf[node] !== 0) {
            meant = true;
            sink.yes(yesOf[node]!);
          }
          if (whole === spelled && !isLiteral(hash)) state = broken;
          else state = depth === 0 ? ended : commaOrEnd;
          continue;
        }

        if (!byLine && (state === ended || state === broken)) break;
        if (byte <= 0x20) {
          if (byLine && (byte === 0x0a || byte === 0x0d)) break;
          at += 1;
          continue;
        }
        if (state === ended || state === broken) {
          state = broken;
          at += 1;
          continue;
        }
        at += 1;
        if (state === commaOrEnd) {
          if (byte === 0x2c) {
            // An array's elements stand at the array's own node, an object's keys find theirs.
            node = nodes[depth - 1]!;
            state = isObject[depth - 1] === 1 ? keyOrEnd : value;
          } else if (byte === (isObject[depth - 1] === 1 ? 0x7d : 0x5d)) {
            depth -= 1;
            state = depth === 0 ? ended : commaOrEnd;
          } else state = broken;
        } else if (state === keyOrEnd) {
          if (byte === quote) {
            state = inKey;
            hash = 0;
          } else if (byte === 0x7d) {
            depth -= 1;
            state = depth === 0 ? ended : commaOrEnd;
          } else state = broken;
        } else if (state === colon) state = byte === 0x3a ? value : broken;
        else if (byte === quote) {
          state = inString;
          if (stringOf[node] !== 0) {
            state = inCapture;
            capturedLength = 0;
          } else if (wordOf[node] !== 0) {
            state = inWord;
            hash = 0;
          }
          textToCome = textOf[node]!;
        } else if (byte === 0x7b || byte === 0x5b) {
          if (depth === limits.jsonDepth) state = broken;
          else {
            if (openOf[node] !== 0) {
              meant = true;
              sink.open(openOf[node]!);
            }
            nodes[depth] = node;
            isObject[depth] = byte === 0x7b ? 1 : 0;
            depth += 1;
            state = byte === 0x7b ? keyOrEnd : value;
          }
        } else if (byte >= 0x30 && byte <= 0x39) {
          state = inLiteral;
          whole = byte - 0x30;
        } else if (byte === 0x74 || byte === 0x66 || byte === 0x6e || byte === 0x2d) {
          state = inLiteral;
          whole = byte === 0x2d ? Number.NaN : spelled;
          hash = byte;
        } else if (byte === 0x5d && depth > 0 && isObject[depth - 1] === 0) {
          depth -= 1;
          state = depth === 0 ? ended : commaOrEnd;
        } else state = broken;
      }

      savedState = state;
      savedDepth = depth;
      savedNode = node;
      savedHash = hash;
      savedWhole = whole;
      return at;
    },
    reset() {
      savedState = value;
      savedDepth = 0;
      savedNode = 0;
      escaped = false;
      textToCome = 0;
      meant = false;
    },
    forget() {
      beginning.forget();
    },
    isComplete: () =>
      savedState === ended ||
      (savedState === inLiteral && savedDepth === 0 && (savedWhole !== spelled || isLiteral(savedHash))),
    isBroken: () => savedState === broken,
  };
}
