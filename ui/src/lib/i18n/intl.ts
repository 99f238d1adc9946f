// Numbers, money and times in the present language. Every function reads the locale, so templates follow a change of it.
import { ticking } from '../state/clock.svelte';
import { i18n, t } from './i18n.svelte';

/** The system's own variant of the language when it is the same language: dates in en-GB are not those of en-US. */
function tag(): string {
  const own = navigator.languages.find((it) => it.split('-')[0] === i18n.locale.split('-')[0]) ?? i18n.locale;
  return i18n.locale === 'ar' ? 'ar-u-nu-latn' : own === 'en' ? 'en-GB' : own;
}

const made = new Map<string, unknown>();
function shared<T>(kind: string, options: object, make: (locale: string) => T): T {
  const key = `${kind}|${i18n.locale}|${JSON.stringify(options)}`;
  let found = made.get(key) as T | undefined;
  if (found === undefined) {
    found = make(tag());
    made.set(key, found);
  }
  return found;
}
const dates = (options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat => shared('date', options, (locale) => new Intl.DateTimeFormat(locale, options));
const relative = (options: Intl.RelativeTimeFormatOptions): Intl.RelativeTimeFormat =>
  shared('relative', options, (locale) => new Intl.RelativeTimeFormat(locale, options));

export const number = (value: number): string => shared('number', {}, (locale) => new Intl.NumberFormat(locale)).format(value);

const NO_MINOR = ['BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF', 'XOF', 'XPF'];
const THREE_MINOR = ['BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND'];

/** Money from whole minor units; decimals are shown when there are any. The digits are the engine's, not the browser's. */
export function money(minor: number, currency: string): string {
  const digits = NO_MINOR.includes(currency) ? 0 : THREE_MINOR.includes(currency) ? 3 : 2;
  const whole = minor % 10 ** digits === 0;
  const options: Intl.NumberFormatOptions = {
    style: 'currency', currency, currencyDisplay: 'narrowSymbol', minimumFractionDigits: whole ? 0 : digits, maximumFractionDigits: digits,
  };
  return shared('money', options, (locale) => {
    try {
      return new Intl.NumberFormat(locale, options);
    } catch {
      // A currency that this browser does not know.
      return { format: (value: number) => `${currency} ${value.toFixed(digits)}` } as Intl.NumberFormat;
    }
  }).format(minor / 10 ** digits);
}

/** 14:04 */
export const time = (at: number): string => dates({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(at);
/** 12 Oct, with the year when it is not this one. */
export function day(at: number): string {
  const other = new Date(at).getFullYear() !== new Date(ticking()).getFullYear();
  return dates({ day: 'numeric', month: 'short', ...(other ? { year: 'numeric' } : {}) }).format(at);
}
/** Friday, 20 November 2026, 14:04 */
export const full = (at: number): string => dates({ weekday: 'long', day: 'numeric', month: 'long', year: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(at);

/** 20 Nov, 14:04:07: for steps that lie seconds apart. */
export const moment = (at: number): string => dates({ day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' }).format(at);

/** Fri 27 Nov, 14:04: for what is to come within weeks. */
export const appointment = (at: number): string => dates({ weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(at);

/** 412 byte, 96 kB, 48.3 MB: sizes on the disk, in powers of ten as systems show them. */
export function bytes(count: number): string {
  const step = count < 1_000 ? 0 : count < 1_000_000 ? 1 : count < 1_000_000_000 ? 2 : 3;
  const unit = (['byte', 'kilobyte', 'megabyte', 'gigabyte'] as const)[step] ?? 'byte';
  return shared('bytes', { unit }, (locale) => new Intl.NumberFormat(locale, { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: step > 1 ? 1 : 0 })).format(count / 1_000 ** step);
}

export const startOfDay = (at: number): number => new Date(at).setHours(0, 0, 0, 0);
const days = (at: number): number => Math.round((startOfDay(ticking()) - startOfDay(at)) / 86_400_000);

/** For list rows: now, 4 min, 2 h, Yesterday, Tue, 12 Oct. */
export function ago(at: number): string {
  const minutes = Math.floor((ticking() - at) / 60_000);
  const apart = days(at);
  if (minutes < 1) return t('time.now');
  if (minutes < 60) return t('time.minutes', { count: minutes });
  if (apart === 0 || minutes < 6 * 60) return t('time.hours', { count: Math.floor(minutes / 60) });
  if (apart === 1) return t('time.yesterday');
  if (apart < 7) return dates({ weekday: 'short' }).format(at);
  return day(at);
}

/** For sentences: 4 min ago, 2 hr ago, yesterday, 3 days ago, 12 Oct. */
export function before(at: number): string {
  const minutes = Math.floor((ticking() - at) / 60_000);
  const apart = days(at);
  const words = relative({ numeric: 'auto', style: 'short' });
  if (minutes < 60) return words.format(-Math.max(1, minutes), 'minute');
  if (apart === 0 || minutes < 6 * 60) return words.format(-Math.floor(minutes / 60), 'hour');
  return apart < 7 ? words.format(-apart, 'day') : day(at);
}

/** For day dividers: Today, Yesterday, Monday, 12 October. */
export function divider(at: number): string {
  const apart = days(at);
  if (apart <= 1 && apart >= 0) {
    const word = relative({ numeric: 'auto' }).format(-apart, 'day');
    return word.charAt(0).toLocaleUpperCase(i18n.locale) + word.slice(1);
  }
  if (apart < 7 && apart > 0) return dates({ weekday: 'long' }).format(at);
  const other = new Date(at).getFullYear() !== new Date(ticking()).getFullYear();
  return dates({ weekday: 'short', day: 'numeric', month: 'long', ...(other ? { year: 'numeric' } : {}) }).format(at);
}

/** A stretch of time in short: 38 min, 23 h 31 min, 5 d. */
export function span(milliseconds: number): string {
  const minutes = Math.max(0, Math.floor(milliseconds / 60_000));
  if (minutes < 60) return t('time.minutes', { count: minutes });
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return hours < 24 && minutes % 60 > 0 && hours >= 1 ? t('time.hours_minutes', { hours, minutes: minutes % 60 }) : t('time.hours', { count: hours });
  return t('time.days', { count: Math.floor(hours / 24) });
}

/** The same without the smaller unit: for chips. */
export function spanShort(milliseconds: number): string {
  const minutes = Math.max(0, Math.floor(milliseconds / 60_000));
  if (minutes < 60) return t('time.minutes', { count: minutes });
  if (minutes < 48 * 60) return t('time.hours', { count: Math.floor(minutes / 60) });
  return t('time.days', { count: Math.floor(minutes / 1440) });
}
