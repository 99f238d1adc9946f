// How this window looks: theme, language, pane widths. Kept in the webview's own storage; nothing personal is in it.
import { preferredLocale, setLocale, type Locale } from '../i18n/i18n.svelte';

export type Theme = 'system' | 'light' | 'dark';
export const THEMES: Theme[] = ['system', 'light', 'dark'];

const dark = typeof matchMedia === 'undefined' ? undefined : matchMedia('(prefers-color-scheme: dark)');
let theme = $state<Theme>('system');
let systemDark = $state(dark?.matches ?? false);

export const PANES = { views: { initial: 216, min: 168, max: 320 }, list: { initial: 326, min: 260, max: 480 }, context: { initial: 288, min: 240, max: 420 } };
export type Pane = keyof typeof PANES;
const widths = $state<Record<Pane, number>>({ views: 216, list: 326, context: 288 });
let contextShown = $state(true);
let viewsShown = $state(true);

const read = (key: string): string | null => localStorage.getItem(`parley.${key}`);
const keep = (key: string, value: string): void => localStorage.setItem(`parley.${key}`, value);
const paint = (): void => {
  document.documentElement.dataset['theme'] = theme === 'system' ? (systemDark ? 'dark' : 'light') : theme;
};

export const settings = {
  get theme(): Theme {
    return theme;
  },
  set theme(next: Theme) {
    theme = next;
    keep('theme', next);
    paint();
  },
  get dark(): boolean {
    return theme === 'dark' || (theme === 'system' && systemDark);
  },
  width: (pane: Pane): number => widths[pane],
  setWidth(pane: Pane, width: number): void {
    const { min, max } = PANES[pane];
    widths[pane] = Math.round(Math.min(max, Math.max(min, width)));
    keep(`width.${pane}`, String(widths[pane]));
  },
  get contextShown(): boolean {
    return contextShown;
  },
  set contextShown(next: boolean) {
    contextShown = next;
    keep('context', String(next));
  },
  get viewsShown(): boolean {
    return viewsShown;
  },
  set viewsShown(next: boolean) {
    viewsShown = next;
    keep('views', String(next));
  },
  async chooseLocale(next: Locale): Promise<void> {
    keep('locale', next);
    await setLocale(next);
  },
};

/** Reads what was chosen before the first paint. `?theme=` and `?lang=` win, for tests and screenshots. */
export async function restore(): Promise<void> {
  const query = new URLSearchParams(location.search);
  const asked = (query.get('theme') ?? read('theme')) as Theme | null;
  if (asked && THEMES.includes(asked)) theme = asked;
  for (const pane of Object.keys(PANES) as Pane[]) {
    const width = Number(read(`width.${pane}`));
    if (width) widths[pane] = Math.min(PANES[pane].max, Math.max(PANES[pane].min, width));
  }
  contextShown = read('context') !== 'false';
  viewsShown = read('views') !== 'false';
  dark?.addEventListener('change', ({ matches }) => {
    systemDark = matches;
    paint();
  });
  paint();
  const lang = query.get('lang') as Locale | null;
  const locale = lang ?? preferredLocale();
  if (locale !== 'en') await setLocale(locale);
}
