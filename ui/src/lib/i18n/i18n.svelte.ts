// All words of the window. Keys are typed by `en.json`; arguments are ICU, so plurals and order belong to the language.
import { IntlMessageFormat } from 'intl-messageformat';
import en from './en.json';

export type Key = keyof typeof en;
export type Catalog = Record<Key, string>;
export const LOCALES = { en: 'English', ar: 'العربية', 'pt-BR': 'Português (Brasil)' } as const;
export type Locale = keyof typeof LOCALES;
type Values = Record<string, string | number>;

const loaders: Record<Exclude<Locale, 'en'>, () => Promise<{ default: Catalog }>> = {
  ar: () => import('./ar.json'),
  'pt-BR': () => import('./pt-BR.json'),
};

let locale = $state<Locale>('en');
let catalog = $state.raw<Catalog>(en);
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
  const message = catalog[key] ?? en[key] ?? key;
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
  return t(key in en ? (key as Key) : fallback, values);
}

export async function setLocale(next: Locale): Promise<void> {
  const loaded = next === 'en' ? en : (await loaders[next]()).default;
  compiled = new Map();
  catalog = loaded;
  locale = next;
  document.documentElement.lang = next;
  document.documentElement.dir = next === 'ar' ? 'rtl' : 'ltr';
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
