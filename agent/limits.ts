// Every bound of the agent, with its reason. The agent stands in the path of other people's requests: whatever they
// send, its memory stays below what is written here.
import { milliseconds, seconds } from '@kubeai/units';

/** What an idle connection keeps ready for the next request: most prompts fit. Twice that took a quarter more to give back when
 * ten thousand leave at once. */
export const smallRequestRead = 8 * 1024;
/** And for the next answer: a stream's event fits many times. */
export const smallAnswerRead = 4 * 1024;
/** What it gets while its buffer is filled: as much as the kernel hands out at once. */
export const largeRead = 64 * 1024;

/** One message's head. Servers stop at 16 to 64 KiB; a longer one passes through unobserved. */
export const maxHeadBytes = 68 * 1024;
/** Heads that arrive in pieces are kept until they are whole; all connections together keep no more than this. */
export const maxGatheredBytes = 32 * 1024 * 1024;
/** A chunk's size line with its extensions, or all trailers of a message. */
export const maxChunkLineBytes = 16 * 1024;
/** Requests on their way at once on one connection; a client that pipelines deeper passes through unobserved. */
export const maxPipelined = 64;
/** Streams open at once on one HTTP/2 connection; servers allow 100 to 250. */
export const maxStreams = 1_024;
/** Header fields that one HTTP/2 message may have, as they are compressed; servers allow 8 to 64 KiB of what comes out. */
export const maxHeaderBlockBytes = 16 * 1024;
/** What is kept of header fields that come again: the standard's own size, which hardly anybody raises. */
export const maxHeaderTableBytes = 4 * 1024;
/** What a server says before its client spoke: HTTP/2 settings are some 50 bytes. */
export const maxEarlyAnswerBytes = 1_024;

/** What came is read after this long at the latest: less than anybody counts in. A timer much shorter would be set anew before each
 * sleep of the process, a microsecond and more a request. */
export const readWithin = milliseconds(40);
/** Longer pieces are read at once: there is much to read in each, and to copy. */
export const maxPieceBytes = 4 * 1024;
/** Pieces that wait to be read, of all connections together; when one more does not fit, all are read. Some 25 short requests with
 * their answers, which take 0.1 ms to read and hold the next one up for so long; or 200 events of streams. */
export const maxBacklogPieces = 1024;
export const maxBacklogBytes = 32 * 1024;
/** Token readers that wait for the next answer, of all connections together: some 4 kB each. */
export const maxFreeReaders = 64;
/** Reading a body for its `usage` costs some nanoseconds a byte: more of an unstreamed one (embeddings) is passed over. */
export const maxReadBytes = 1024 * 1024;

/** Time to connect to a server in the same pod: it accepts at once or its backlog is full. */
export const connectTimeout = seconds(10);
/** How long a client that was turned away may go on sending before it is cut. */
export const lingerTime = seconds(2);
/** How long a connection to a refusing server waits for the request that it can answer. */
export const refusedWait = seconds(5);
/** Dead peers are found by TCP's own probes. */
export const keepAliveDelay = seconds(60);
/** What clients that were turned away are told to wait. */
export const retryAfterSeconds = 1;

/** Requests that may wait for a place under a concurrency limit: more would wait longer than anybody does. */
export const maxQueued = 1_000;
/** How long a request waits for a place. */
export const queueDeadline = seconds(30);
/** Bytes of one waiting request that are kept: the body of a long prompt. More stays in the client's socket. */
export const maxHeldBytes = 256 * 1024;

/** One window, one report. */
export const reportInterval = seconds(1);
/** Without an acknowledgement for this long the connection counts as lost. */
export const acknowledgementTimeout = seconds(15);
/** After a refusal (401, 403): the token must change or the API server catch up first. */
export const refusedReconnectDelay = seconds(5);
/** Projected tokens and CAs are rewritten in place; kubelet does so minutes before they expire. */
export const credentialInterval = seconds(10);
export const maxCredentialBytes = 256 * 1024;

/** Samples older than this are left out of reports: they say nothing about now. */
export const maxSampleAge = seconds(60);

export const scrapeInterval = seconds(1);
export const scrapeTimeout = seconds(2);
/** vLLM writes 60 kB, a Triton with a hundred models 500 kB. */
export const maxScrapeBytes = 4 * 1024 * 1024;
/** How often a server without metrics is asked again: SGLang's page is empty until its first request. */
export const unsupportedScrapeInterval = seconds(15);

/** nvidia-smi and dcgmi answer each second; silent for this long one hangs (a GPU fell off the bus) and is ended. */
export const smiSilence = seconds(15);
export const firstSmiRestart = seconds(1);
export const longestSmiRestart = seconds(60);
/** One answer for 64 devices is 16 kB of CSV. */
export const maxSmiBytes = 1024 * 1024;

/** Several small files each time; what is decided by CPU and memory is decided over minutes. */
export const containerInterval = seconds(5);
/** systeminformation reads many files for one number. */
export const hostInterval = seconds(15);
/** Looking for the server's process walks /proc; it is done again only when the process is gone. */
export const findServerInterval = seconds(10);
/** In a pod that does not share its process namespace it is never found: the search grows rare. */
export const longestFindServerInterval = seconds(300);
export const maxProcesses = 5_000;

/** Of a page for Prometheus, before others have their turn: a histogram has more, and is a turn of its own. A turn for each family
 * would be a millisecond less at the first page, whose code is new; but many turns take long under load, when each is a batch of
 * everybody's work. */
export const maxValuesPerTurn = 5;

/** Nothing in flight for this long is quiet: endpoints have moved by then. */
export const drainQuiet = seconds(3);
export const drainPoll = milliseconds(100);
/** While draining, a connection that was idle for this long is closed, so that its client opens the next one elsewhere. */
export const drainIdleConnection = seconds(1);
