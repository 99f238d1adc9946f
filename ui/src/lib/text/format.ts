// WhatsApp's marks, read into a small tree: `*b* _i_ ~s~`, three backticks or one for code, `> ` quotes, `- ` and `1. ` lists, links.
// The tree is drawn with text nodes only, so a message can never become markup.

export type Inline =
  | { kind: 'text'; text: string }
  | { kind: 'bold'; children: Inline[] }
  | { kind: 'italic'; children: Inline[] }
  | { kind: 'strike'; children: Inline[] }
  | { kind: 'code'; text: string }
  | { kind: 'link'; text: string; href: string };

export type Block =
  | { kind: 'line'; children: Inline[] }
  | { kind: 'quote'; lines: Inline[][] }
  | { kind: 'bullets'; items: Inline[][] }
  | { kind: 'numbers'; start: number; items: Inline[][] }
  | { kind: 'pre'; text: string };

const MARKS: Record<string, 'bold' | 'italic' | 'strike'> = { '*': 'bold', _: 'italic', '~': 'strike' };
const LINK = /(?:https?:\/\/|www\.)[^\s<>"'`]+/giu;
const WORD = /[\p{L}\p{N}]/u;

const isWord = (character: string | undefined): boolean => character !== undefined && WORD.test(character);

/** Links in plain text. Only http and https; anything else stays text. */
function linkify(text: string): Inline[] {
  const parts: Inline[] = [];
  let from = 0;
  for (const match of text.matchAll(LINK)) {
    // A closing mark of the sentence is not part of the address.
    const shown = match[0].replace(/[.,;:!?)\]}…]+$/u, '');
    const href = shown.startsWith('www.') || shown.startsWith('WWW.') ? `https://${shown}` : shown;
    if (!URL.canParse(href)) continue;
    if (match.index > from) parts.push({ kind: 'text', text: text.slice(from, match.index) });
    parts.push({ kind: 'link', text: shown, href });
    from = match.index + shown.length;
  }
  if (from < text.length) parts.push({ kind: 'text', text: text.slice(from) });
  return parts;
}

/** Where a mark that opens at `open` closes on this line, or -1. A mark hugs its words and stands at word edges. */
function closing(line: string, open: number, mark: string): number {
  if (isWord(line[open - 1]) || line[open + 1] === undefined || /\s/u.test(line[open + 1] ?? '')) return -1;
  for (let at = line.indexOf(mark, open + 2); at >= 0; at = line.indexOf(mark, at + 1)) {
    if (!/\s/u.test(line[at - 1] ?? ' ') && !isWord(line[at + 1])) return at;
  }
  return -1;
}

/** The marks inside one line. `depth` keeps a hostile text from nesting without end. */
export function inline(line: string, depth = 0): Inline[] {
  const parts: Inline[] = [];
  let plain = '';
  const flush = (): void => {
    if (plain) parts.push(...linkify(plain));
    plain = '';
  };
  const links = [...line.matchAll(LINK)].map((match) => [match.index, match.index + match[0].length] as const);
  for (let at = 0; at < line.length; at += 1) {
    const character = line[at] ?? '';
    const inLink = links.some(([from, to]) => at > from && at < to);
    if (!inLink && character === '`') {
      const end = line.indexOf('`', at + 1);
      if (end > at + 1) {
        flush();
        parts.push({ kind: 'code', text: line.slice(at + 1, end) });
        at = end;
        continue;
      }
    }
    const mark = inLink ? undefined : MARKS[character];
    if (mark && depth < 4) {
      const end = closing(line, at, character);
      if (end > at + 1) {
        flush();
        parts.push({ kind: mark, children: inline(line.slice(at + 1, end), depth + 1) });
        at = end;
        continue;
      }
    }
    plain += character;
  }
  flush();
  return parts;
}

/** A whole message. */
export function format(text: string): Block[] {
  const blocks: Block[] = [];
  text.split('```').forEach((part, index, parts) => {
    const fenced = index % 2 === 1 && index < parts.length - 1;
    if (fenced) {
      blocks.push({ kind: 'pre', text: part.replace(/^\n|\n$/gu, '') });
      return;
    }
    // An odd last fence has no end: its marks are text.
    let body = index % 2 === 1 ? '```' + part : part;
    if (index > 0 && body.startsWith('\n')) body = body.slice(1);
    if (index < parts.length - 1 && body.endsWith('\n')) body = body.slice(0, -1);
    if (body === '' && parts.length > 1) return;
    for (const line of body.split('\n')) {
      const last = blocks.at(-1);
      const quote = /^> ?(.*)$/u.exec(line);
      const bullet = /^[-*] +(.+)$/u.exec(line);
      const numbered = /^(\d{1,3})\. +(.+)$/u.exec(line);
      if (quote) {
        const children = inline(quote[1] ?? '');
        if (last?.kind === 'quote') last.lines.push(children);
        else blocks.push({ kind: 'quote', lines: [children] });
      } else if (bullet) {
        const children = inline(bullet[1] ?? '');
        if (last?.kind === 'bullets') last.items.push(children);
        else blocks.push({ kind: 'bullets', items: [children] });
      } else if (numbered) {
        const children = inline(numbered[2] ?? '');
        if (last?.kind === 'numbers') last.items.push(children);
        else blocks.push({ kind: 'numbers', start: Number(numbered[1]), items: [children] });
      } else {
        blocks.push({ kind: 'line', children: inline(line) });
      }
    }
  });
  return blocks;
}

/** The text without its marks, for one-line previews. */
export function plain(text: string): string {
  const words = (parts: Inline[]): string =>
    parts.map((part) => ('children' in part ? words(part.children) : part.text)).join('');
  return format(text)
    .map((block) => {
      switch (block.kind) {
        case 'line': return words(block.children);
        case 'quote': return block.lines.map(words).join(' ');
        case 'bullets':
        case 'numbers': return block.items.map(words).join(', ');
        case 'pre': return block.text;
      }
    })
    .join(' ')
    .trim();
}
