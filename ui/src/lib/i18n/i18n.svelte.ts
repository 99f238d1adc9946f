// All words of the window. Keys are typed by the English catalogs; arguments are ICU, so plurals and order belong to the
// language. `en.json` holds what the start of the window needs; `later/` what screens need that are loaded on demand.
import { IntlMessageFormat } from 'intl-messageformat';
import { late } from '../late';
import en from './en.json';
import type laterEn from './later/en.json';

export type Key = keyof typeof en | keyof typeof laterEn;
export type Catalog = Partial<Record<Key, string>>;
export const LOCALES = { en: 'English', ar: 'العربية', 'pt-BR': 'Português (Brasil)' } as const;
export type Locale = keyof typeof LOCALES;
type Values = Record<string, string | number>;

const loaders: Record<Exclude<Locale, 'en'>, () => Promise<{ default: Catalog }>> = {
  ar: () => import('./ar.json'),
  'pt-BR': () => import('./pt-BR.json'),
};
const laterLoaders: Record<Locale, () => Promise<{ default: Catalog }>> = {
  en: () => import('./later/en.json'),
  ar: () => import('./later/ar.json'),
  'pt-BR': () => import('./later/pt-BR.json'),
};

let locale = $state<Locale>('en');
let catalog = $state.raw<Catalog>(en);
let english: Catalog = en;
let complete: Promise<void> | undefined;
let compiled = new Map<Key, IntlMessageFormat>();

export const i18n = {
  get locale(): Locale {
    return locale;
  },
  get dir(): 'ltr' | 'rtl' {
    return locale === 'ar' ? 'rtl' : 'ltr';
  },
};

/** The message in the present language; readers follow a change of language. */
export function t(key: Key, values?: Values): string {
  const message = catalog[key] ?? english[key] ?? key;
  if (!values && !message.includes('{')) return message;
  let format = compiled.get(key);
  if (!format) {
    format = new IntlMessageFormat(message, locale, undefined, { ignoreTag: true });
    compiled.set(key, format);
  }
  return String(format.format(values));
}

/** A key that is made at run time, such as one per error code; `fallback` stands in when there is none. */
export function tMaybe(key: string, fallback: Key, values?: Values): string {
  return t(key in english ? (key as Key) : fallback, values);
}

export async function setLocale(next: Locale): Promise<void> {
  const [first, rest] = await Promise.all([next === 'en' ? en : loaders[next]().then((it) => it.default), complete ? laterLoaders[next]().then((it) => it.default) : {}]);
  compiled = new Map();
  catalog = { ...first, ...rest };
  locale = next;
  document.documentElement.lang = next;
  document.documentElement.dir = next === 'ar' ? 'rtl' : 'ltr';
}

/** Resolves to a screen that is loaded on demand, together with the words that such screens need. */
export async function later<T>(screen: Promise<T>): Promise<T> {
  complete ??= Promise.all([late(laterLoaders.en), late(laterLoaders[locale])]).then(([first, own]) => {
    english = { ...en, ...first.default };
    catalog = { ...catalog, ...own.default };
  });
  const [loaded] = await Promise.all([screen, complete]);
  return loaded;
}

/** The language asked for last, or the system's when Parley speaks it. */
export function preferredLocale(): Locale {
  const known = Object.keys(LOCALES) as Locale[];
  const asked = [localStorage.getItem('parley.locale'), ...navigator.languages];
  for (const tag of asked) {
    const found = known.find((it) => it === tag) ?? known.find((it) => it.split('-')[0] === tag?.split('-')[0]);
    if (found) return found;
  }
  return 'en';
}
