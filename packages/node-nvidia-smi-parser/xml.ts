// A small reader of XML for what nvidia-smi writes: elements, attributes, text, no namespaces. Tolerant where logs are
// broken: documents one after another, one that breaks off, closing tags that do not fit. One pass, bounded depth.
import { limits } from './limits.ts';

export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: XmlElement[];
  /** The text directly inside, without the blanks around it. */
  text: string;
}

export interface XmlInput {
  /** Elements that stand in no other, in order. */
  readonly roots: readonly XmlElement[];
  /** What a DOCTYPE names, in order: `nvsmi_device_v12.dtd`. */
  readonly doctypes: readonly string[];
  /** Lines outside every element. */
  readonly stray: readonly string[];
  /** The input ended inside an element. */
  readonly truncated: boolean;
  /** An element ends that never began. */
  readonly lostBeginning: boolean;
  /** An element held more than are kept. */
  readonly tooMany: boolean;
}

// Half of a document lists the clocks that the card could run at; nobody reads them.
const skipped = new Set(['supported_clocks']);

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

const decode = (text: string): string =>
  text.includes('&')
    ? text.replace(/&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|([a-z]{2,4}));/gi, (whole, decimal, hex, name) => {
        if (name !== undefined) return entities[name.toLowerCase()] ?? whole;
        const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
        return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
      })
    : text;

/** Never throws; linear in the length of the text. */
export function readXml(text: string): XmlInput {
  const roots: XmlElement[] = [];
  const doctypes: string[] = [];
  const stray: string[] = [];
  const open: XmlElement[] = [];
  /** Elements inside one that is too deep or of no interest. */
  let skippedInside = 0;
  let truncated = false;
  let lostBeginning = false;
  let tooMany = false;
  let at = 0;

  const addText = (piece: string) => {
    const trimmed = piece.trim();
    if (trimmed === '' || skippedInside > 0) return;
    const parent = open.at(-1);
    if (parent !== undefined) parent.text = parent.text === '' ? decode(trimmed) : `${parent.text} ${decode(trimmed)}`;
    else if (stray.length < limits.problems) stray.push(...trimmed.split('\n').slice(0, limits.problems));
  };

  while (at < text.length) {
    const tag = text.indexOf('<', at);
    if (tag === -1) {
      addText(text.slice(at));
      break;
    }
    addText(text.slice(at, tag));
    // No tag, but the header of a monitoring agent's section: `<<<nvidia_smi>>>`.
    if (text[tag + 1] === '<') {
      at = tag + 2;
      while (text[at] === '<') at += 1;
      continue;
    }
    const [opening, closing] = text.startsWith('<!--', tag)
      ? ['<!--', '-->']
      : text.startsWith('<![CDATA[', tag)
        ? ['<![CDATA[', ']]>']
        : ['<', '>'];
    const end = text.indexOf(closing, tag + opening.length);
    if (end === -1) {
      truncated = true;
      break;
    }
    const inside = text.slice(tag + opening.length, end);
    at = end + closing.length;
    if (opening === '<![CDATA[') addText(inside);
    if (opening !== '<' || inside.startsWith('?')) continue;
    if (inside.startsWith('!')) {
      const system = /^!DOCTYPE\s[^"]{0,200}"([^"]{1,200})"/i.exec(inside);
      if (system !== null) doctypes.push(system[1]!);
      continue;
    }
    if (inside.startsWith('/')) {
      if (skippedInside > 0) skippedInside -= 1;
      else if (open.length === 0) lostBeginning = true;
      else close(inside.slice(1).trim(), open);
      continue;
    }
    const selfClosing = inside.endsWith('/');
    const name = /^[^\s/>]{1,200}/.exec(inside)?.[0];
    if (name === undefined) continue;
    if (skippedInside > 0 || open.length >= limits.depth || skipped.has(name)) {
      if (!selfClosing) skippedInside += 1;
      continue;
    }
    const element: XmlElement = { name, attributes: attributesOf(inside.slice(name.length)), children: [], text: '' };
    const siblings = open.at(-1)?.children ?? roots;
    if (siblings.length < limits.entries) siblings.push(element);
    else tooMany = true;
    if (!selfClosing) open.push(element);
  }
  return { roots, doctypes, stray, truncated: truncated || open.length > 0, lostBeginning, tooMany };
}

/** Closes the nearest open element of that name, and whatever was forgotten inside it. */
function close(name: string, open: XmlElement[]): void {
  for (let level = open.length - 1; level >= 0; level -= 1)
    if (open[level]!.name === name) {
      open.length = level;
      return;
    }
}

function attributesOf(text: string): Record<string, string> {
  const attributes: Record<string, string> = {};
  for (const [, name, quote, apostrophe] of text
    .slice(0, 2_000)
    .matchAll(/([\w:-]{1,100})\s?=\s?(?:\\?"([^"\\]*)|'([^']*)')/g))
    attributes[name!] = decode(quote ?? apostrophe ?? '');
  return attributes;
}

/** Texts of the leaves below an element, by path; of repeated leaves the first counts. Subtrees in `except` stay out. */
export function leavesOf(element: XmlElement, except: ReadonlySet<string> = new Set()): Record<string, string> {
  const leaves: Record<string, string> = Object.create(null);
  const walk = (children: readonly XmlElement[], path: string) => {
    for (const child of children) {
      if (except.has(child.name)) continue;
      const name = path + child.name;
      if (child.children.length > 0) walk(child.children, `${name}/`);
      else leaves[name] ??= child.text;
    }
  };
  walk(element.children, '');
  return leaves;
}
