import { parse, TYPE, type MessageFormatElement } from '@formatjs/icu-messageformat-parser';
import { describe, expect, it } from 'vitest';
import ar from './ar.json';
import en from './en.json';
import laterAr from './later/ar.json';
import laterEn from './later/en.json';
import laterPt from './later/pt-BR.json';
import pt from './pt-BR.json';

const catalogs: Record<string, Record<string, string>> = { ar: { ...ar, ...laterAr }, 'pt-BR': { ...pt, ...laterPt } };
const source: Record<string, string> = { ...en, ...laterEn };
const used = import.meta.glob('../../**/*.{ts,svelte}', { query: '?raw', import: 'default', eager: true }) as Record<string, string>;

/** Arguments with their kinds; plural and select branches are looked into. */
function args(elements: MessageFormatElement[], found = new Map<string, string>()): Map<string, string> {
  for (const element of elements) {
    if (element.type === TYPE.literal || element.type === TYPE.pound) continue;
    if (element.type === TYPE.plural || element.type === TYPE.select) {
      found.set(element.value, element.type === TYPE.plural ? 'plural' : 'select');
      for (const option of Object.values(element.options)) args(option.value, found);
    } else if ('value' in element && !found.has(element.value)) found.set(element.value, 'value');
  }
  return found;
}
const argsOf = (message: string): string[] => [...args(parse(message, { ignoreTag: true })).keys()].sort();
const plurals = (message: string): string[][] => {
  const found: string[][] = [];
  const walk = (elements: MessageFormatElement[]): void => {
    for (const element of elements) {
      if (element.type !== TYPE.plural) continue;
      found.push(Object.keys(element.options));
      Object.values(element.options).forEach((option) => walk(option.value));
    }
  };
  walk(parse(message, { ignoreTag: true }));
  return found;
};

describe.each(Object.entries(catalogs))('%s', (name, catalog) => {
  it('has exactly the keys of English', () => expect(Object.keys(catalog).sort()).toEqual(Object.keys(source).sort()));
  it('takes the same arguments', () => {
    for (const [key, message] of Object.entries(source)) expect([key, argsOf(catalog[key] ?? '')]).toEqual([key, argsOf(message)]);
  });
  it('is translated', () => {
    // Names, signs and words that are the same in both languages.
    const same = Object.keys(source).filter((key) => catalog[key] === source[key] && /[a-z]{4}/iu.test(source[key]?.replace(/\{[^}]*\}/gu, '') ?? ''));
    expect(same.filter((key) => !/^(channel\.|content\.audio|contact\.status|status\.label|role\.admin|hint\.)/u.test(key))).toEqual([]);
  });
  it('answers every plural form of the language', () => {
    const forms = new Intl.PluralRules(name).resolvedOptions().pluralCategories;
    // `many` of Portuguese is for millions, which nothing here counts.
    const needed = forms.filter((form) => name === 'ar' || form !== 'many');
    for (const [key, message] of Object.entries(catalog))
      for (const options of plurals(message)) expect([key, needed.filter((form) => !options.includes(form))]).toEqual([key, []]);
  });
});

describe('the catalogs', () => {
  it('hold no key twice', () => {
    for (const [first, later] of [[en, laterEn], [ar, laterAr], [pt, laterPt]]) expect(Object.keys(first ?? {}).filter((key) => key in (later ?? {}))).toEqual([]);
  });
});

describe('English', () => {
  it('is valid ICU', () => {
    for (const message of Object.values(source)) expect(() => parse(message, { ignoreTag: true })).not.toThrow();
  });
  it('has a text for every error code', async () => {
    const types = used['../ipc/generated.ts'] ?? used['./../ipc/generated.ts'] ?? Object.entries(used).find(([path]) => path.endsWith('ipc/generated.ts'))?.[1] ?? '';
    const codes = /export type Code =([^;]+);/u.exec(types)?.[1]?.match(/['"]([a-z_]+)['"]/gu)?.map((it) => it.slice(1, -1)) ?? [];
    expect(codes.length).toBeGreaterThan(30);
    expect(codes.filter((code) => !(`code.${code}` in source))).toEqual([]);
  });
  it('holds no key that nothing uses', () => {
    const text = Object.entries(used).filter(([path]) => !path.includes('.test.')).map(([, content]) => content).join('\n');
    const stems = [...text.matchAll(/`([a-z_.]+\.)\$\{/gu)].map((match) => match[1] ?? '');
    const unused = Object.keys(source).filter((key) => !text.includes(`'${key}'`) && !stems.some((stem) => key.startsWith(stem)));
    expect(unused).toEqual([]);
  });
});

describe('words in the window', () => {
  it('all come from a catalog', () => {
    const found: string[] = [];
    for (const [path, content] of Object.entries(used)) {
      if (!path.endsWith('.svelte')) continue;
      const markup = content.replace(/on\w+=\{[^\n]*?\}(?=[\s>])/gu, '').replace(/<script[\s\S]*?<\/script>/gu, '').replace(/<style[\s\S]*?<\/style>/gu, '').replace(/<!--[\s\S]*?-->/gu, '');
      for (const match of markup.matchAll(/>([^<>{}]*[A-Za-z]{3,}[^<>{}]*)</gu)) {
        const words = match[1]?.trim() ?? '';
        if (words && !/^(Esc|Parley)$/u.test(words) && !/=>|\)|;/u.test(words)) found.push(`${path}: ${words}`);
      }
    }
    expect(found).toEqual([]);
  });
});
