// Chromium, the accessibility check, and the key → paint measure that both suites use.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { chromium } from 'playwright-core';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const launch = () => chromium.launch({ executablePath: process.env.PARLEY_CHROMIUM ?? '/usr/bin/chromium' });

/** A page that notes its own errors and refused resources in `page.faults`. */
export async function open(browser, url, { width = 1440, height = 900, locale = 'en-GB', scheme = 'light' } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, timezoneId: 'UTC', locale, colorScheme: scheme, reducedMotion: 'reduce', bypassCSP: false });
  const page = await context.newPage();
  page.faults = [];
  page.on('pageerror', (error) => page.faults.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && page.faults.push(message.text()));
  await page.goto(url);
  return page;
}

/** Waits until the page has stood still: fonts there, every row measured, nothing changed for a while. */
export const settled = (page, quiet = 300) =>
  page.evaluate(async (quiet) => {
    await document.fonts.ready;
    let changed = performance.now();
    const watch = new MutationObserver(() => (changed = performance.now()));
    watch.observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
    const until = performance.now() + 10_000;
    // A virtual list keeps a row hidden until it knows its height.
    const unmeasured = () => [...document.querySelectorAll('[data-list] [role=option]')].some((row) => getComputedStyle(row).visibility === 'hidden');
    while (performance.now() < until && (performance.now() - changed < quiet || unmeasured())) await new Promise((next) => setTimeout(next, 25));
    watch.disconnect();
  }, quiet);

/** Serious and critical findings of axe, in short. */
export async function findings(page) {
  const found = await examine(page);
  if (found.length === 0) return found;
  // What was found while the page was still being laid out is looked at again; a real fault stays.
  await settled(page);
  return examine(page);
}

async function examine(page) {
  // Evaluated by the debugger, not by the page: the content security policy stays as strict as it is.
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  return violations
    .filter((it) => it.impact === 'serious' || it.impact === 'critical')
    .map((it) => `${it.id}: ${it.nodes.slice(0, 3).map((node) => `${node.target.join(' ')} (${node.failureSummary?.split('\n').slice(1, 2).join(' ').trim()})`).join('; ')}`);
}

export const at = (list, share) => [...list].sort((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * share))];

/** Types and sends `count` replies; returns the milliseconds from the Enter key to the painted bubble. */
export async function keyToPaint(page, count) {
  const times = [];
  for (let n = 0; n < count; n += 1) {
    const text = `measured ${n} ${Math.floor(performance.now())}`;
    await page.getByTestId('composer-input').fill(text);
    times.push(
      await page.evaluate(async () => {
        const known = new Set([...document.querySelectorAll('[data-testid=entry]')].map((it) => it.dataset.id));
        const area = document.querySelector('[data-testid=composer-input]');
        const from = performance.now();
        area.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true }));
        for (;;) {
          const fresh = [...document.querySelectorAll('[data-testid=entry]')].find((it) => !known.has(it.dataset.id) && it.dataset.direction === 'outgoing');
          const seen = fresh && window.__parley_painted.get(fresh.dataset.id);
          if (seen) return seen.since_start - from;
          if (performance.now() - from > 5_000) throw new Error('the bubble was not painted');
          await new Promise((next) => requestAnimationFrame(next));
        }
      }),
    );
  }
  return times;
}
