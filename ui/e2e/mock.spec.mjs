// The window over the demo engine, in Chromium: every screen × light and dark × both directions has no serious or
// critical accessibility finding, no error, nothing that the content security policy refuses; and a walk by keyboard.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { at, findings, keyToPaint, launch, open, settled } from './browser.mjs';
import { serve } from './serve.mjs';

const root = new URL('..', import.meta.url).pathname;
const shots = `${root}e2e/shots`;
const conversation = (n) => `01931111-0000-7000-8000-${String(n).padStart(12, '0')}`;
const member = (n) => `0193aaaa-0000-7000-8000-${String(n).padStart(12, '0')}`;
const inbox = (n) => `0193bbbb-0000-7000-8000-${String(n).padStart(12, '0')}`;
const mine = (n) => `/inbox/mine/c/${conversation(n)}`;

const screens = {
  inbox: { scene: 'online', hash: '/inbox/mine' },
  conversation: { scene: 'online', hash: mine(0) },
  failures: { scene: '', hash: mine(1) },
  locked: { scene: '', hash: mine(4) },
  kinds: { scene: '', hash: `/inbox/unassigned/c/${conversation(10)}` },
  offline: { scene: 'offline', hash: mine(0) },
  empty: { scene: 'empty', hash: '/inbox/mine' },
  loading: { scene: 'slow', hash: mine(0) },
  failing: { scene: 'failing', hash: mine(0) },
  board: { scene: 'offline', hash: '/board' },
  no_board: { scene: 'no_board', hash: '/board' },
  outbox: { scene: '', hash: '/outbox' },
  outbox_empty: { scene: 'empty', hash: '/outbox' },
  search: { scene: '', hash: '/search', act: (page) => page.getByTestId('search-input').fill('lamp') },
  palette: { scene: '', hash: mine(0), act: (page) => page.keyboard.press('Control+k') },
  help: { scene: '', hash: mine(0), act: (page) => page.keyboard.press('?') },
  note: { scene: '', hash: mine(0), act: (page) => page.keyboard.press('n') },
  sign_in: { scene: 'signed_out', hash: '' },
  sign_in_factor: { scene: 'signed_out', hash: '', act: (page) => signInWithFactor(page) },
  sign_in_invitation: { scene: 'signed_out', hash: '', act: (page) => page.getByTestId('sign-in-invitation').click() },
  sign_in_offer: { scene: 'signed_out', hash: '', act: (page) => openOffer(page) },
  factor_required: { scene: 'factor_required', hash: '/inbox/mine' },
  security: { scene: 'online', hash: '/settings/security' },
  security_offline: { scene: 'offline', hash: '/settings/security' },
  two_factor: { scene: 'online', hash: '/settings/security', act: (page) => openFactor(page) },
  recovery_codes: { scene: 'online', hash: '/settings/security', act: (page) => openFactor(page).then(() => giveCode(page)) },
  step_up: { scene: 'online', hash: '/settings/security', act: (page) => page.getByTestId('two-factor-set-up').click() },
  new_password: { scene: 'online', hash: '/settings/security', act: (page) => page.getByTestId('change-password').click() },
  revoke_device: { scene: 'online', hash: '/settings/security', act: (page) => page.getByTestId('device-revoke').first().click() },
  members: { scene: 'online', as: 'admin', hash: '/settings/members' },
  members_empty: { scene: 'empty', as: 'admin', hash: '/settings/members' },
  members_loading: { scene: 'slow', as: 'admin', hash: '/settings/members', act: (page) => page.getByTestId('settings-loading').waitFor() },
  members_failing: { scene: 'failing', as: 'admin', hash: '/settings/members' },
  members_offline: { scene: 'offline', as: 'admin', hash: '/settings/members' },
  invite: { scene: 'online', as: 'admin', hash: '/settings/members', act: (page) => page.getByTestId('invite-open').click() },
  invited: { scene: 'online', as: 'admin', hash: '/settings/members', act: (page) => inviteWithOneInbox(page) },
  member_access: { scene: 'online', as: 'admin', hash: '/settings/members', act: (page) => page.getByTestId('member-edit').first().click() },
  teams: { scene: 'online', as: 'admin', hash: '/settings/teams' },
  teams_empty: { scene: 'empty', as: 'admin', hash: '/settings/teams' },
  team: { scene: 'online', as: 'admin', hash: '/settings/teams', act: (page) => page.getByTestId('team-edit').first().click() },
  team_delete: { scene: 'online', as: 'admin', hash: '/settings/teams', act: (page) => page.getByTestId('team-delete').first().click() },
  inbox_access: { scene: 'online', as: 'admin', hash: '/settings/inboxes' },
  inbox_access_empty: { scene: 'empty', as: 'admin', hash: '/settings/inboxes' },
  rules: { scene: 'online', as: 'admin', hash: '/settings/rules' },
  audit: { scene: 'online', as: 'admin', hash: '/settings/audit' },
  audit_empty: { scene: 'empty', as: 'admin', hash: '/settings/audit' },
  lock_pin: { scene: 'locked', hash: '' },
  lock_wait: { scene: 'locked', hash: '', act: (page) => wrongPins(page) },
  lock_asked: { scene: 'asked', hash: '' },
  lock_lease: { scene: 'lease', hash: '' },
  lock_lease_ended: { scene: 'lease_ended', hash: '' },
  lock_clock: { scene: 'clock', hash: '' },
  lock_clock_ahead: { scene: 'clock_ahead', hash: '' },
  lock_passphrase: { scene: 'passphrase', hash: '' },
  lock_sign_out: { scene: 'locked', hash: '', act: (page) => page.getByTestId('lock-sign-out').click() },
  passphrase: { scene: 'no_keyring', hash: '', act: (page) => signInWithoutKeyring(page) },
  last_day: { scene: 'last_day', hash: mine(0) },
  sign_out: { scene: 'online', hash: '/settings/storage', act: (page) => page.getByTestId('storage-sign-out').click() },
  storage: { scene: 'online', hash: '/settings/storage' },
  storage_offline: { scene: 'last_day', hash: '/settings/storage' },
  storage_pin: { scene: 'pin', hash: '/settings/storage' },
  storage_loading: { scene: 'slow', hash: '/settings/storage', act: (page) => page.getByTestId('settings-loading').waitFor() },
  storage_failing: { scene: 'failing', hash: '/settings/storage' },
  storage_clear: { scene: 'online', hash: '/settings/storage', act: (page) => page.getByTestId('storage-clear').first().click() },
  pin: { scene: 'pin', hash: '/settings/storage', act: (page) => page.getByTestId('pin-change').click() },
  policy: { scene: 'online', as: 'admin', hash: '/settings/policy' },
  policy_offline: { scene: 'offline', as: 'admin', hash: '/settings/policy' },
  policy_failing: { scene: 'failing', as: 'admin', hash: '/settings/policy' },
  policy_refused: { scene: 'online', as: 'admin', hash: '/settings/policy', act: (page) => breakPolicy(page) },
  opening: { scene: 'opening', hash: '' },
  keyring_missing: { scene: 'keyring_missing', hash: '' },
  keyring_locked: { scene: 'keyring_locked', hash: '' },
  wrong_key: { scene: 'wrong_key', hash: '' },
  store_damaged: { scene: 'store_damaged', hash: '' },
  disk_full: { scene: 'disk_full', hash: '' },
  already_open: { scene: 'already_open', hash: '' },
};

/** Gives the password that a dangerous act asks for. */
async function prove(page) {
  await page.getByTestId('step-up-password').fill('a good password');
  await page.getByTestId('step-up-submit').click();
}
async function signInWithFactor(page) {
  await page.getByTestId('sign-in-email').fill('dev.2fa@casalumen.example');
  await page.getByTestId('sign-in-password').fill('a good password');
  await page.getByTestId('sign-in-submit').click();
  await page.getByTestId('sign-in-code').waitFor();
}
async function openOffer(page) {
  await page.getByTestId('sign-in-invitation').click();
  await page.getByTestId('accept-code').fill('https://parley.example#pi_7Q3xVb0Yk2mR8tLw5uNf9cHs1dJg4aZe6oXiKpTz');
  await page.getByTestId('accept-look').click();
  await page.getByTestId('accept-offer').waitFor();
}
async function openFactor(page) {
  await page.getByTestId('two-factor-set-up').click();
  await prove(page);
  await page.getByTestId('two-factor-qr').waitFor();
}
async function giveCode(page) {
  await page.getByTestId('two-factor-code').fill('123456');
  await page.getByTestId('two-factor-submit').click();
  await page.getByTestId('recovery-code').first().waitFor();
}
async function wrongPins(page) {
  for (let n = 1; n <= 3; n += 1) {
    await page.getByTestId('lock-secret').fill(`00000${n}`);
    await page.keyboard.press('Enter');
    await (n < 3 ? page.locator('[data-testid=refusal][data-code=wrong_pin]').waitFor() : page.getByTestId('lock-wait').waitFor());
  }
}
async function signInWithoutKeyring(page) {
  await page.getByTestId('sign-in-email').fill('rhea@casalumen.example');
  await page.getByTestId('sign-in-password').fill('a good password');
  await page.getByTestId('sign-in-submit').click();
  await page.getByTestId('passphrase').waitFor();
}
async function breakPolicy(page) {
  await page.getByTestId('policy-wipe_after_days').fill('30');
  await page.getByTestId('policy-save').click();
  await page.locator('[data-testid=refusal][data-code=policy_invalid]').waitFor();
}
async function inviteWithOneInbox(page) {
  await page.getByTestId('invite-open').click();
  await page.getByTestId('invite-email').fill('mei@casalumen.example');
  await page.getByTestId(`invite-inbox-${inbox(1)}`).check();
  await page.getByTestId('invite-submit').click();
  await prove(page);
  await page.getByTestId('invite-token').waitFor();
}

const only = process.env.PARLEY_SCREENS?.split(',');

let browser;
let site;
before(async () => {
  if (!existsSync(`${root}dist-mock/index.html`) || process.env.PARLEY_REBUILD !== '0') execFileSync('npm', ['run', 'build:mock'], { cwd: root, stdio: 'ignore' });
  mkdirSync(shots, { recursive: true });
  browser = await launch();
  site = await serve(`${root}dist-mock`);
});
after(async () => {
  await browser?.close();
  await site?.stop();
});
const visit = (scene, hash, more = {}) => open(browser, `${site.url}/?mock=${scene}${more.as ? `&as=${more.as}` : ''}&theme=${more.theme ?? 'light'}&lang=${more.lang ?? 'en'}#${hash}`, more);

describe('every screen', () => {
  for (const [name, { scene, hash, act, as }] of Object.entries(screens)) {
    if (only && !only.includes(name)) continue;
    test(name, async () => {
      const wrong = [];
      for (const theme of ['light', 'dark'])
        for (const lang of ['en', 'ar']) {
          const page = await visit(scene, hash, { theme, lang, as });
          await page.locator('h1').first().waitFor({ state: 'attached' });
          await settled(page);
          if (act) await act(page);
          await settled(page);
          for (const finding of await findings(page)) wrong.push(`${theme} ${lang}: ${finding}`);
          for (const fault of page.faults) wrong.push(`${theme} ${lang}: ${fault}`);
          const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
          if (wide) wrong.push(`${theme} ${lang}: wider than the window`);
          await page.screenshot({ path: `${shots}/${name}-${theme}-${lang}.png` });
          await page.context().close();
        }
      assert.deepEqual(wrong, []);
    });
  }
});

describe('by keyboard', () => {
  test('moves, replies, sees the ticks go forward, resolves and undoes', async () => {
    const page = await visit('online', '/inbox/mine');
    await page.getByTestId('conversation-row').first().waitFor();
    await page.keyboard.press('j');
    await page.getByTestId('entry').first().waitFor();
    await page.keyboard.press('r');
    await page.keyboard.type('Both are reserved for you.');
    await page.keyboard.press('Enter');
    const bubble = page.locator('[data-testid=entry][data-direction=outgoing]').last();
    await page.getByText('Both are reserved for you.').last().waitFor();
    await page.locator('[data-testid=entry][data-state=read]').last().filter({ hasText: 'reserved for you' }).waitFor({ timeout: 8_000 });
    assert.equal(await bubble.getAttribute('data-state'), 'read');
    assert.equal(await page.getByTestId('composer-input').inputValue(), '');
    await page.keyboard.press('Escape');
    const total = await page.getByTestId('view-mine').innerText();
    await page.keyboard.press('e');
    await page.getByRole('button', { name: /Undo/u }).waitFor();
    await page.keyboard.press('Control+z');
    await page.waitForFunction((text) => document.querySelector('[data-testid=view-mine]')?.innerText === text, total);
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });

  test('keeps a draft when the conversation is left, and shows it in the list', async () => {
    const page = await visit('online', mine(2));
    await page.getByTestId('composer-input').fill('half a thought');
    await page.keyboard.press('Alt+ArrowDown');
    await page.locator(`[data-id="${conversation(3)}"][data-testid=conversation]`).waitFor();
    await page.locator(`[data-testid=conversation-row][data-id="${conversation(2)}"]`).getByText('half a thought').waitFor();
    await page.keyboard.press('Alt+ArrowUp');
    await page.waitForFunction(() => document.querySelector('[data-testid=composer-input]')?.value === 'half a thought');
    await page.context().close();
  });

  test('carries an order to the next stage, puts it back, and moves it by menu', async () => {
    const page = await visit('online', '/board');
    const card = page.locator('[data-testid=order-card]').first();
    await card.focus();
    const id = await card.getAttribute('data-id');
    const inStage = (place) => page.locator('[data-testid=board-column]').nth(place).locator(`[data-testid=order-card][data-id="${id}"]`);
    await page.keyboard.press('Space');
    await page.keyboard.press('ArrowRight');
    await inStage(1).waitFor();
    await page.keyboard.press('Escape');
    await inStage(0).waitFor();
    await page.keyboard.press('Space');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Space');
    await inStage(1).waitFor();
    await page.waitForTimeout(200);
    assert.equal(await inStage(1).getAttribute('data-stage'), await page.locator('[data-testid=board-column]').nth(1).getAttribute('data-stage'));
    await page.keyboard.press('s');
    await page.getByRole('menuitem', { name: 'Shipped' }).click();
    await inStage(3).waitFor();
    await page.context().close();
  });

  test('invites a member with one inbox, who is then in the list', async () => {
    const page = await visit('online', '/inbox/mine', { as: 'admin' });
    await page.getByTestId('conversation-row').first().waitFor();
    await page.keyboard.press('g');
    await page.keyboard.press(',');
    await page.getByTestId('settings-security').waitFor();
    await page.keyboard.press('Control+k');
    await page.getByTestId('palette-input').fill('members');
    await page.keyboard.press('Enter');
    await page.getByTestId('member-row').first().waitFor();
    await page.getByTestId('invite-open').focus();
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.activeElement?.dataset.testid === 'invite-email');
    await page.keyboard.type('mei@casalumen.example');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement?.dataset.testid), 'invite-role-agent');
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement?.dataset.testid), `invite-inbox-${inbox(1)}`);
    await page.keyboard.press('Space');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.activeElement?.dataset.testid === 'step-up-password');
    await page.keyboard.press('Escape');
    await page.getByTestId('step-up').waitFor({ state: 'detached' });
    assert.equal(await page.getByTestId('invite-email').inputValue(), 'mei@casalumen.example', 'giving up the password loses nothing of the form');
    await page.waitForFunction((id) => document.activeElement?.dataset.testid === id, `invite-inbox-${inbox(1)}`);
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.activeElement?.dataset.testid === 'step-up-password');
    await page.keyboard.type('wrong');
    await page.keyboard.press('Enter');
    await page.locator('[data-testid=step-up] [data-testid=refusal]').waitFor();
    await page.keyboard.type('a good password');
    await page.keyboard.press('Enter');
    const token = await page.getByTestId('invite-token').innerText();
    assert.match(token, /^https:\/\/parley\.example#\S{20,}$/u);
    await page.keyboard.press('Escape');
    assert.equal(await page.getByTestId('invite-token').count(), 1, 'a code that is shown once is not lost by a slip');
    await page.waitForFunction(() => document.activeElement?.dataset.testid === 'invite-close');
    await page.keyboard.press('Enter');
    const row = page.getByTestId('invitation-row').filter({ hasText: 'mei@casalumen.example' });
    await row.waitFor();
    assert.match(await row.innerText(), /Sales/u);
    await page.getByTestId('settings-nav-audit').focus();
    await page.keyboard.press('Enter');
    await page.locator('[data-testid=audit-row][data-action="member.invited"]').filter({ hasText: 'mei@casalumen.example' }).waitFor();
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });

  test('sets up the second factor, keeps the codes, and is then asked for it', async () => {
    const page = await visit('online', '/settings/security');
    await page.getByTestId('two-factor-set-up').focus();
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.activeElement?.dataset.testid === 'step-up-password');
    await page.keyboard.type('a good password');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => document.activeElement?.dataset.testid === 'two-factor-code');
    assert.match(await page.getByTestId('two-factor-secret').innerText(), /^[A-Z2-7 ]{20,}$/u);
    await page.keyboard.type('000 000');
    await page.keyboard.press('Enter');
    await page.locator('[data-testid=refusal][data-code=bad_second_factor]').waitFor();
    await page.keyboard.type('123 456');
    await page.keyboard.press('Enter');
    await page.getByTestId('recovery-code').first().waitFor();
    assert.equal(await page.getByTestId('recovery-code').count(), 10);
    assert.equal(await page.getByTestId('recovery-done').isDisabled(), true);
    await page.getByTestId('recovery-kept').focus();
    await page.keyboard.press('Space');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.locator('[data-testid=two-factor][data-state=on]').waitFor();
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });

  test('signs out another device, but not this one', async () => {
    const page = await visit('online', '/settings/security');
    const rows = page.locator('[data-testid=device-row][data-state=active]');
    await rows.first().waitFor();
    assert.equal(await rows.count(), 3);
    assert.equal(await page.getByTestId('device-revoke').count(), 2);
    await page.getByTestId('device-revoke').first().focus();
    await page.keyboard.press('Enter');
    await page.getByTestId('revoke-confirm').waitFor();
    await page.waitForFunction(() => document.activeElement?.dataset.testid === 'revoke-confirm-no');
    await page.keyboard.press('Enter');
    await page.getByTestId('revoke-confirm').waitFor({ state: 'detached' });
    assert.equal(await rows.count(), 3, 'the safe answer has the focus');
    await page.getByTestId('device-revoke').first().focus();
    await page.keyboard.press('Enter');
    await page.getByTestId('revoke-confirm-yes').focus();
    await page.keyboard.press('Enter');
    await page.getByTestId('revoke-confirm').waitFor({ state: 'detached' });
    await page.waitForFunction(() => document.querySelectorAll('[data-testid=device-row][data-state=active]').length === 2);
    await page.context().close();
  });

  test('signs in with the second factor: a wrong code, a pasted one, and the way back', async () => {
    const page = await visit('signed_out', '');
    await signInWithFactor(page);
    await page.getByTestId('sign-in-code').fill('111111');
    await page.keyboard.press('Enter');
    await page.locator('[data-testid=sign-in-problem][data-code=bad_second_factor]').waitFor();
    await page.getByTestId('sign-in-code').fill('123 456');
    await page.keyboard.press('Enter');
    await page.getByTestId('nav-settings').waitFor();
    await page.context().close();
  });

  test('takes an invitation; an old code says what to do', async () => {
    const page = await visit('signed_out', '');
    await page.getByTestId('sign-in-invitation').click();
    await page.getByTestId('accept-code').fill('https://parley.example#expired');
    await page.keyboard.press('Enter');
    await page.locator('[data-testid=refusal][data-code=invitation_invalid]').waitFor();
    await page.getByTestId('accept-code').fill('a-token-alone');
    await page.getByTestId('accept-server').fill('parley.example');
    await page.keyboard.press('Enter');
    await page.getByTestId('accept-name').fill('Clara Weiss');
    await page.getByTestId('accept-password').fill('password12');
    await page.keyboard.press('Enter');
    await page.locator('[data-testid=refusal][data-code=weak_password]').waitFor();
    await page.getByTestId('accept-password').fill('lamps glow at nine');
    await page.keyboard.press('Enter');
    await page.getByTestId('nav-settings').waitFor();
    await page.context().close();
  });

  test('a workspace that asks for a second factor lets nobody past without one', async () => {
    const page = await visit('factor_required', '/inbox/mine');
    await page.getByTestId('factor-required').waitFor();
    assert.equal(await page.getByTestId('conversation-row').count(), 0);
    await page.getByTestId('factor-required-start').click();
    await prove(page);
    await giveCode(page);
    await page.getByTestId('recovery-kept').check();
    await page.getByTestId('recovery-done').click();
    await page.getByTestId('conversation-row').first().waitFor();
    await page.context().close();
  });

  test('only admins see the workspace’s settings; a link there leads others to their own', async () => {
    const page = await visit('online', '/settings/members');
    await page.getByTestId('settings-security').waitFor();
    assert.equal(await page.getByTestId('settings-nav-members').count(), 0);
    await page.context().close();
  });

  test('settings fit a small window', async () => {
    for (const lang of ['en', 'pt-BR']) {
      for (const section of ['security', 'storage', 'policy', 'members', 'teams', 'inboxes', 'rules', 'audit']) {
        const page = await visit('online', `/settings/${section}`, { as: 'admin', lang, width: 740, height: 560 });
        await page.getByTestId(`settings-${section}`).waitFor();
        await settled(page);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), `${section} is wider than the window`);
        await page.screenshot({ path: `${shots}/small-${section}-${lang}.png` });
        await page.context().close();
      }
    }
  });

  test('locks by a key, from a dialog too, and leaves nothing of the inbox in the window', async () => {
    const page = await visit('pin', mine(0));
    await page.getByTestId('entry').last().waitFor();
    await page.keyboard.press('Control+k');
    await page.getByTestId('palette-input').waitFor();
    await page.keyboard.press('Control+Shift+L');
    await page.getByTestId('lock-screen').waitFor();
    await page.waitForFunction(() => document.activeElement?.dataset.testid === 'lock-secret');
    const text = await page.evaluate(() => document.documentElement.outerHTML);
    for (const word of ['Ananya', 'Casa Lumen', 'Rhea', 'palette-input', 'conversation-row']) assert.ok(!text.includes(word), `${word} is still in the window`);
    await page.waitForFunction(() => /locked/u.test(document.querySelector('[aria-live=assertive]')?.textContent ?? ''));
    await page.keyboard.type('111111');
    await page.keyboard.press('Enter');
    await page.locator('[data-testid=refusal][data-code=wrong_pin]').waitFor();
    await page.waitForFunction(() => document.activeElement?.dataset.testid === 'lock-secret');
    await page.keyboard.type('123456');
    await page.keyboard.press('Enter');
    await page.getByTestId('entry').last().waitFor();
    assert.equal(await page.getByTestId('palette-input').count(), 0);
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });

  test('waits after wrong tries, and says for how long', async () => {
    const page = await visit('locked', '');
    await wrongPins(page);
    assert.match(await page.getByTestId('lock-wait').innerText(), /0:\d\d/u);
    await page.getByTestId('lock-secret').fill('123456');
    assert.equal(await page.getByTestId('lock-open').isDisabled(), true);
    await page.context().close();
  });

  test('a desk whose session ended, and one that lost its key, are opened by signing in again', async () => {
    for (const scene of ['lease_ended', 'wrong_key']) {
      const page = await visit(scene, '/inbox/mine');
      await page.waitForFunction(() => document.activeElement?.dataset.testid === 'again-email');
      await page.keyboard.type('rhea@casalumen.example');
      await page.getByTestId('again-password').fill('factor');
      await page.keyboard.press('Enter');
      await page.getByTestId('again-code').fill('123456');
      await page.keyboard.press('Enter');
      await page.getByTestId('conversation-row').first().waitFor();
      if (scene === 'wrong_key') await page.getByText('3 unsent changes').waitFor();
      await page.context().close();
    }
  });

  test('without a keyring a passphrase is set, and signing in goes on', async () => {
    const page = await visit('no_keyring', '');
    await signInWithoutKeyring(page);
    await page.keyboard.type('too short');
    await page.keyboard.press('Enter');
    await page.locator('[data-testid=refusal][data-code=weak_pin]').waitFor();
    await page.getByTestId('passphrase-field').fill('four lamps under one roof');
    await page.keyboard.press('Enter');
    await page.getByTestId('nav-settings').waitFor();
    await page.context().close();
  });

  test('sets a PIN, clears drafts, and names what is lost before signing out', async () => {
    const page = await visit('online', '/settings/storage');
    await page.getByTestId('pin-set').click();
    await page.getByTestId('pin-new').fill('246810');
    await page.getByTestId('pin-again').fill('246811');
    await page.keyboard.press('Enter');
    await page.getByTestId('refusal').waitFor();
    await page.getByTestId('pin-again').fill('246810');
    await page.keyboard.press('Enter');
    await page.locator('[data-testid=app-lock][data-state=pin]').waitFor();
    await page.locator('[data-testid=storage-row][data-store=drafts] [data-testid=storage-clear]').click();
    await page.getByTestId('storage-confirm-yes').click();
    await page.locator('[data-testid=storage-row][data-store=drafts] [data-testid=storage-clear][disabled]').waitFor();
    await page.getByTestId('nav-me').click();
    await page.getByTestId('menu-sign-out').click();
    assert.match(await page.getByTestId('sign-out-unsent').innerText(), /3 changes were not sent/u);
    await page.waitForFunction(() => document.activeElement?.dataset.testid === 'sign-out-no');
    await page.getByTestId('sign-out-review').click();
    await page.getByTestId('sign-out').waitFor({ state: 'detached' });
    await page.context().close();
  });

  test('an admin changes the device policy for a role, hears what does not fit, and goes back to the default', async () => {
    const page = await visit('online', '/settings/policy', { as: 'admin' });
    await breakPolicy(page);
    await page.getByTestId('policy-discard').click();
    assert.equal(await page.getByTestId('policy-wipe_after_days').inputValue(), '21');
    await page.getByTestId('policy-message_window_days-agent').fill('14');
    await page.getByTestId('policy-save').click();
    await page.getByTestId('policy-reset').click();
    await page.getByTestId('policy-confirm-yes').click();
    await page.waitForFunction(() => document.querySelector('[data-testid=policy-message_window_days-agent]')?.value === '');
    assert.equal(await page.getByTestId('policy-reset').count(), 0);
    await page.context().close();
  });

  test('makes, changes and deletes a team, and the inbox says who sees it through it', async () => {
    const page = await visit('online', '/settings/teams', { as: 'admin' });
    await page.getByTestId('team-new').click();
    await page.getByTestId('team-name').fill('Night shift');
    await page.getByTestId(`team-member-${member(2)}`).check();
    await page.getByTestId(`team-inbox-${inbox(4)}`).check();
    await page.getByTestId('team-save').click();
    await prove(page);
    const row = page.getByTestId('team-row').filter({ hasText: 'Night shift' });
    await row.waitFor();
    await page.getByTestId('settings-nav-inboxes').click();
    await page.locator(`[data-testid=inbox-access][data-id="${inbox(4)}"] [data-testid=inbox-access-member][data-id="${member(2)}"]`).getByText('Team Night shift').waitFor();
    await page.getByTestId('settings-nav-teams').click();
    await row.getByTestId('team-delete').click();
    await page.getByTestId('team-delete-confirm-yes').click();
    await row.waitFor({ state: 'detached' });
    await page.context().close();
  });

  test('the last admin stays one', async () => {
    const page = await visit('empty', '/settings/members', { as: 'admin' });
    await page.getByTestId('member-edit').click();
    await page.getByTestId('member-role-agent').check();
    await page.getByTestId('member-save').click();
    await prove(page);
    await page.locator('[data-testid=refusal][data-code=last_admin]').waitFor();
    await page.context().close();
  });

  test('drags an order with the pointer', async () => {
    const page = await visit('online', '/board');
    const card = page.locator('[data-testid=order-card]').first();
    const id = await card.getAttribute('data-id');
    const from = await card.boundingBox();
    const to = await page.locator('[data-testid=board-column]').nth(3).boundingBox();
    await page.mouse.move(from.x + 60, from.y + 12);
    await page.mouse.down();
    await page.mouse.move(from.x + 90, from.y + 30, { steps: 4 });
    await page.mouse.move(to.x + 100, to.y + 120, { steps: 16 });
    await page.waitForTimeout(350);
    await page.mouse.up();
    await page.locator('[data-testid=board-column]').nth(3).locator(`[data-testid=order-card][data-id="${id}"][data-stage="01930000"]`).or(page.locator('[data-testid=board-column]').nth(3).locator(`[data-testid=order-card][data-id="${id}"]`)).waitFor();
    await page.context().close();
  });

  test('reads a long conversation upwards without moving what is under the eye, and holds a bounded window', async () => {
    const page = await visit('online', mine(0));
    await page.getByTestId('entry').last().waitFor();
    const timeline = page.getByTestId('timeline');
    let drift = 0;
    for (let step = 0; step < 6; step += 1) {
      const moved = await timeline.evaluate(async (node) => {
        node.scrollTop = 650;
        await new Promise((next) => setTimeout(next, 80));
        const first = node.querySelector('[data-entry]');
        const before = first.getBoundingClientRect().top;
        node.scrollTop -= 60;
        await new Promise((next) => setTimeout(next, 350));
        return first.isConnected ? Math.abs(first.getBoundingClientRect().top - before - 60) : 0;
      });
      drift = Math.max(drift, moved);
    }
    assert.ok(drift <= 1, `moved by ${drift} px`);
    assert.ok((await page.getByTestId('entry').count()) <= 600);
    await page.keyboard.press('Control+j');
    await page.waitForFunction(() => {
      const node = document.querySelector('[data-testid=timeline]');
      return node.scrollHeight - node.scrollTop - node.clientHeight < 4 && node.innerText.includes('I can pay today');
    });
    await page.context().close();
  });

  test('shows the list or the conversation, not both, in a small window', async () => {
    const page = await visit('online', '/inbox/mine', { width: 740, height: 560 });
    await page.getByTestId('conversation-row').first().click();
    await page.getByTestId('entry').last().waitFor();
    assert.equal(await page.getByTestId('conversation-list').count(), 0);
    await page.getByRole('button', { name: 'Back to the list' }).click();
    await page.getByTestId('conversation-list').waitFor();
    await page.context().close();
  });

  test('a notification that was clicked opens its conversation with the composer ready', async () => {
    const page = await visit('online', '/board');
    await page.getByTestId('order-card').first().waitFor();
    await page.evaluate((id) => window.__parley_tell({ event: 'open', conversation: id }), conversation(2));
    await page.locator(`[data-testid=conversation][data-id="${conversation(2)}"]`).waitFor();
    await page.waitForFunction(() => document.activeElement?.dataset.testid === 'composer-input');
    await page.context().close();
  });

  test('key to paint', async () => {
    const page = await visit('online', mine(0));
    await page.getByTestId('entry').last().waitFor();
    const times = await keyToPaint(page, 30);
    console.log(JSON.stringify({ measure: 'key to paint, demo engine', n: times.length, p50_ms: Math.round(at(times, 0.5)), p95_ms: Math.round(at(times, 0.95)) }));
    await page.context().close();
  });
});
