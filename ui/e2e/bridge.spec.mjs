// The window over the real engine: the bridge of a development build serves the page and the commands.
// PARLEY_BRIDGE_URL is the address that the desk prints (`http://127.0.0.1:…/?bridge=…`), signed in to a workspace that has
// at least one open conversation of the member. Optional: PARLEY_OFFLINE_ON and PARLEY_OFFLINE_OFF, shell commands that stop
// the server and start it again.
import assert from 'node:assert/strict';
import { execSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { at, findings, keyToPaint, launch, open } from './browser.mjs';

const address = process.env.PARLEY_BRIDGE_URL;
const url = (hash = '', query = '') => `${address}${query}#${hash}`;

describe('over the bridge', { skip: address ? false : 'PARLEY_BRIDGE_URL is not set' }, () => {
  let browser;
  before(async () => (browser = await launch()));
  after(async () => browser?.close());

  const inbox = async (page, view = 'all_open') => {
    await page.goto(url(`/inbox/${view}`));
    await page.getByTestId('conversation-row').first().waitFor();
  };
  /** Opens the first conversation that may be answered. */
  const openWritable = async (page) => {
    await inbox(page);
    const ids = await page.getByTestId('conversation-row').evaluateAll((rows) => rows.map((it) => it.dataset.id));
    for (const id of ids) {
      await page.goto(url(`/inbox/all_open/c/${id}`));
      await page.getByTestId('composer-input').or(page.getByTestId('composer-locked')).first().waitFor();
      if ((await page.getByTestId('composer-locked').count()) === 0) return id;
    }
    throw new Error('no conversation may be answered');
  };

  test('the inbox lists conversations and the status bar says where the desk stands', async () => {
    const page = await open(browser, url());
    await inbox(page);
    assert.ok((await page.getByTestId('conversation-row').count()) > 0);
    await page.locator('[data-testid=status-connection][data-state=online]').waitFor({ timeout: 15_000 });
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });

  test('a reply by keyboard is there at once and goes forward', async () => {
    const page = await open(browser, url());
    await openWritable(page);
    const text = `On its way ${Date.now()}`;
    await page.keyboard.press('r');
    await page.keyboard.type(text);
    await page.keyboard.press('Enter');
    const bubble = page.locator('[data-testid=entry][data-direction=outgoing]').filter({ hasText: text });
    await bubble.waitFor({ timeout: 2_000 });
    await page.waitForFunction(
      (words) => {
        const found = [...document.querySelectorAll('[data-testid=entry]')].find((it) => it.textContent.includes(words));
        return ['accepted', 'sent', 'delivered', 'read'].includes(found?.dataset.state ?? '');
      },
      text,
      { timeout: 20_000 },
    );
    assert.equal(await bubble.count(), 1);
    await page.context().close();
  });

  test('a note stays inside', async () => {
    const page = await open(browser, url());
    await openWritable(page);
    const text = `For the team ${Date.now()}`;
    await page.keyboard.press('n');
    await page.keyboard.type(text);
    await page.keyboard.press('Enter');
    await page.locator('[data-testid=entry][data-direction=note]').filter({ hasText: text }).waitFor({ timeout: 5_000 });
    await page.context().close();
  });

  test('a draft survives a reload', async () => {
    const page = await open(browser, url());
    const id = await openWritable(page);
    await page.getByTestId('composer-input').fill('kept over a reload');
    await page.waitForTimeout(700);
    await page.reload();
    await page.goto(url(`/inbox/all_open/c/${id}`));
    await page.waitForFunction(() => document.querySelector('[data-testid=composer-input]')?.value === 'kept over a reload', undefined, { timeout: 5_000 });
    await page.getByTestId('composer-input').fill('');
    await page.waitForTimeout(700);
    await page.context().close();
  });

  test('an order moves a stage and back', async () => {
    const page = await open(browser, url());
    await page.goto(url('/board'));
    const card = page.getByTestId('order-card').first();
    await card.waitFor({ timeout: 10_000 });
    const id = await card.getAttribute('data-id');
    const from = await card.getAttribute('data-stage');
    const stages = await page.getByTestId('board-column').evaluateAll((columns) => columns.map((it) => it.dataset.stage));
    const to = stages.find((it) => it !== from);
    const carry = async (stage) => {
      await page.locator(`[data-testid=order-card][data-id="${id}"]`).focus();
      await page.keyboard.press('s');
      await page.locator(`[data-testid=order-move-to][data-stage="${stage}"]`).click();
      await page.locator(`[data-testid=board-column][data-stage="${stage}"] [data-testid=order-card][data-id="${id}"]`).waitFor();
    };
    await carry(to);
    await carry(from);
    await page.context().close();
  });

  test('search finds what was said', async () => {
    const page = await open(browser, url());
    await openWritable(page);
    const word = `needle${Date.now()}`;
    await page.getByTestId('composer-input').fill(word);
    await page.keyboard.press('Enter');
    await page.getByText(word).first().waitFor();
    await page.goto(url('/search'));
    await page.getByTestId('search-input').fill(word);
    await page.locator('[data-testid=search-hit][data-kind=message]').first().waitFor({ timeout: 5_000 });
    await page.keyboard.press('Enter');
    await page.getByTestId('timeline').getByText(word).first().waitFor();
    await page.context().close();
  });

  test('with the server gone it says so, queues, and catches up', { skip: process.env.PARLEY_OFFLINE_ON ? false : 'PARLEY_OFFLINE_ON is not set', timeout: 120_000 }, async () => {
    const page = await open(browser, url());
    await openWritable(page);
    execSync(process.env.PARLEY_OFFLINE_ON, { stdio: 'ignore' });
    try {
      await page.getByTestId('offline-banner').waitFor({ timeout: 40_000 });
      assert.match(await page.getByTestId('composer-send').innerText(), /Queue/u);
      await page.getByTestId('composer-input').fill('written with the server gone');
      await page.keyboard.press('Enter');
      await page.locator('[data-testid=entry][data-state=queued]').filter({ hasText: 'server gone' }).last().waitFor({ timeout: 3_000 });
    } finally {
      if (process.env.PARLEY_OFFLINE_OFF) execSync(process.env.PARLEY_OFFLINE_OFF, { stdio: 'ignore' });
    }
    await page.getByTestId('offline-banner').waitFor({ state: 'detached', timeout: 60_000 });
    await page.context().close();
  });

  test('no serious or critical accessibility finding: screens × light and dark × both directions', async () => {
    const wrong = [];
    for (const theme of ['light', 'dark'])
      for (const lang of ['en', 'ar'])
        for (const hash of ['/inbox/all_open', 'conversation', '/board', '/outbox', '/search']) {
          const page = await open(browser, url('', `&theme=${theme}&lang=${lang}`));
          if (hash === 'conversation') {
            await page.goto(url('/inbox/all_open', `&theme=${theme}&lang=${lang}`));
            await page.getByTestId('conversation-row').first().click();
            await page.getByTestId('timeline').waitFor();
          } else await page.goto(url(hash, `&theme=${theme}&lang=${lang}`));
          await page.locator('h1').first().waitFor({ state: 'attached' });
          await page.waitForTimeout(500);
          for (const finding of await findings(page)) wrong.push(`${hash} ${theme} ${lang}: ${finding}`);
          await page.context().close();
        }
    assert.deepEqual(wrong, []);
  });

  test('key to paint', async () => {
    const page = await open(browser, url());
    await openWritable(page);
    const times = await keyToPaint(page, Number(process.env.PARLEY_SAMPLES ?? 30));
    console.log(JSON.stringify({ measure: 'key to paint', n: times.length, p50_ms: Math.round(at(times, 0.5)), p95_ms: Math.round(at(times, 0.95)) }));
    await page.context().close();
  });
});
