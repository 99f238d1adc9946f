import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const css = readFileSync('src/app.css', 'utf8');
function tokens(theme: 'light' | 'dark'): Record<string, string> {
  const block = new RegExp(`\\[data-theme='${theme}'\\] \\{([^}]*)\\}`, 'u').exec(css)?.[1] ?? '';
  return Object.fromEntries([...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/gu)].map((match) => [match[1] ?? '', match[2] ?? '']));
}
function luminance(hex: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
const contrast = (a: string, b: string): number => {
  const [high = 0, low = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
};

const pairs: [string, string[]][] = [
  ['text', ['bg', 'panel', 'sunken', 'accent-soft', 'danger-soft', 'warn-soft']],
  ['muted', ['bg', 'panel', 'sunken', 'accent-soft']],
  ['faint', ['bg', 'panel', 'sunken']],
  ['accent', ['bg', 'panel', 'accent-soft']],
  ['accent-strong', ['panel', 'accent-soft']],
  ['accent-on', ['accent']],
  ['note-text', ['note']],
  ['warn', ['panel', 'bg', 'warn-soft', 'accent-soft']],
  ['danger', ['panel', 'bg', 'danger-soft']],
  ['ok', ['panel', 'ok-soft']],
  ['info', ['panel', 'info-soft']],
  ['read', ['panel', 'accent-soft']],
  ...['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((hue): [string, string[]] => [`hue-${hue}-text`, [`hue-${hue}`]]),
];

describe.each(['light', 'dark'] as const)('%s', (theme) => {
  const found = tokens(theme);
  it.each(pairs.flatMap(([ink, grounds]) => grounds.map((ground) => [ink, ground] as const)))('%s on %s is at least 4.5:1', (ink, ground) => {
    expect(contrast(found[ink] ?? '#000000', found[ground] ?? '#000000')).toBeGreaterThanOrEqual(4.5);
  });
  it.each(['label-amber', 'label-violet', 'label-blue', 'label-green', 'label-rose', 'label-slate', 'whatsapp', 'messenger', 'instagram'])('%s is a sign of at least 2.5:1, beside its word', (sign) => {
    expect(contrast(found[sign] ?? '#000000', found['panel'] ?? '#000000')).toBeGreaterThanOrEqual(2.5);
  });
});
