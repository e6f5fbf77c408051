// The bounds of everything that is read here. A page or a stream comes from somebody else's process: it may be huge,
// endless or hostile, and none of that may cost the reader more than these numbers.

export const limits = {
  /** Samples kept from one page. vLLM writes about 600, a node of 16 GPUs about 2,000; the rest is named a problem. */
  samplesPerPage: 50_000,
  /** Labels kept of one sample. */
  labelsPerSample: 64,
  /** Problems listed by one reader; what comes after is only counted. */
  problems: 20,
  /** Characters of somebody else's text quoted in a problem. */
  quotedCharacters: 80,
  /** Nesting of one streamed JSON value that is followed; a deeper one counts as broken. */
  jsonDepth: 64,
  /** Bytes of an event before its text that are remembered, to recognise the next event by. */
  rememberedBytes: 512,
  /** Events in a row that did not begin like the one before, after which a stream is no longer compared. */
  rememberedMisses: 16,
  /** Bytes of a string that are looked at one by one before native search is called, which costs as much as reading these. */
  stringBytesReadSingly: 48,
  /** Bytes kept of a finish reason, an event name or an error message in a stream. */
  capturedBytes: 200,
  /** What is counted one after the other, or a counter and its time, makes a full share come out a little over 1. */
  fullShare: 1.1,
} as const;

/** Somebody else's text, short enough for a log line. */
export const quoted = (text: string): string =>
  JSON.stringify(text.length > limits.quotedCharacters ? `${text.slice(0, limits.quotedCharacters)}…` : text);
