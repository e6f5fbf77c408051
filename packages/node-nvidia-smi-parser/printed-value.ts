// What a cell says: a number in the unit that we want, a word, nothing, or an error. nvidia-smi has a dozen ways to
// say "nothing", and none of them is zero.

export type Cell =
  | { readonly is: 'value'; readonly text: string }
  | { readonly is: 'absent' }
  | { readonly is: 'error'; readonly text: string };

const absent =
  /^(?:|-|n\/a|none|not (?:supported|available.*|applicable)|requested functionality has been deprecated|deprecated.*|insufficient permissions|no permissions?|function not found|not found)$/i;
const failed =
  /^(?:err!?|error|unknown error|.* error|gpu is lost|gpu requires (?:reset|restart)|gpu access blocked.*|reset required|uninitialized|timeout)$/i;

/** `None` is a value of some fields (virtualisation, addressing), so whoever reads words asks for it to be one. */
export function cellOf(printed: string, noneIsValue = false): Cell {
  let text = printed.trim();
  // Since driver 610: `13.3 [Deprecated; will be removed in CUDA 14.0. Use …]`
  const note = text.indexOf(' [Deprecated');
  if (note > 0) text = text.slice(0, note);
  if (text.startsWith('[') && text.endsWith(']')) text = text.slice(1, -1).trim();
  if (noneIsValue && text === 'None') return { is: 'value', text };
  if (text.length > 200) return { is: 'value', text };
  if (absent.test(text)) return { is: 'absent' };
  return failed.test(text) ? { is: 'error', text } : { is: 'value', text };
}

/** Factors to the units that readings use. nvidia-smi's MB are MiB, as its older versions wrote them. */
const factors: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  MiB: { MiB: 1, MB: 1, KiB: 1 / 1024, KB: 1 / 1024, GiB: 1024, GB: 1024, B: 1 / 1_048_576, '': 1 },
  '%': { '%': 1, '': 1 },
  C: { C: 1, '': 1 },
  W: { W: 1, mW: 1e-3, '': 1 },
  MHz: { MHz: 1, GHz: 1e3, '': 1 },
  '': { '': 1 },
};

const number = /^([+-]?\d{1,15}(?:\.\d{1,9})?) ?([A-Za-z%/]{0,8})$/;

/**
 * The number that a value holds, in `unit`; undefined when it holds none. `unitOfHeader` counts where it has no own. Only
 * degrees go below zero: elsewhere a sign tells of a counter that ran over.
 */
export function numberIn(text: string, unit: string, unitOfHeader = ''): number | undefined {
  const match = number.exec(text);
  if (match === null) return undefined;
  const factor = factors[unit]?.[match[2] === '' ? unitOfHeader : match[2]!];
  if (factor === undefined || (unit !== 'C' && Number(match[1]) < 0)) return undefined;
  return Number(match[1]) * factor;
}

/** The version at the beginning of a text; undefined where it only says that another line has it now. */
export const versionIn = (text: string | undefined): string | undefined =>
  /^\d{1,4}(?:\.\d{1,4}){0,4}(?=\s|$)/.exec(text?.trim() ?? '')?.[0];

/** The first line of `-q`. Looks behind itself, lest it try a ruler of a thousand signs at each of them. */
export const logTitle = /(?<!=)={4,}\s?NVSMI LOG\s?={4,}/;
/** The first line of a table. */
export const tableTitle = /\|[ \t]{0,20}NVIDIA-SMI \d/;
/** A line of the list. */
export const listedGpu = /^GPU (\d{1,4}): (.{1,200}?) \(UUID: ([^()]{1,100})\)?$/;
/** The line above a table. */
export const dateLine = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d \d{4}$/;
