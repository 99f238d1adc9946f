// The demo engine's side of the lock, of what is stored on this computer, and of the policy for desks. Scenes: `locked` (a PIN,
// 123456), `asked` (none), `lease` (waits for the server), `lease_ended` (the session has ended too), `clock`, `clock_ahead`,
// `passphrase`; `expiring` shows a lease with two days left, `last_day` one with 20 hours; `no_keyring` asks for a passphrase.
import { IpcError } from './ipc';
import { now } from '../state/clock.svelte';
import { DAY, HOUR } from './fixture';
import type { AppLock, Commands, DevicePolicy, DeviceRules, LeaseView, LockReason, LockView, OpensWith, Phase, StorageView } from './generated';

type Names =
  | 'lock' | 'unlock' | 'app_lock' | 'set_pin' | 'remove_pin' | 'set_up_passphrase' | 'sign_in_again' | 'active' | 'lease' | 'storage'
  | 'clear_storage' | 'device_policy' | 'set_device_policy';
type Handlers = { [K in Names]: (args: Commands[K][0]) => Commands[K][1] };

const LOCKS: Record<string, [LockReason, OpensWith]> = {
  locked: ['idle', 'pin'], lease: ['silence', 'contact'], lease_ended: ['silence', 'sign_in'], clock: ['clock_behind', 'contact'], passphrase: ['started', 'passphrase'], asked: ['asked', 'click'], clock_ahead: ['clock_ahead', 'contact'],
};
const PIN = '123456';

export const defaultPolicy: DevicePolicy = {
  message_window_days: 30, conversations_max: 500, contacts: 'assigned_or_recent', orders: 'open_only', facts_days: 400, media_days: 7, media_max_mb: 512,
  drafts_days: 14, search_index: true, lease_hours: 24, lock_after_days: 7, wipe_after_days: 21, deletion_promise_days: 30, idle_lock_min: 15, log_days: 7,
  log_max_mb: 5, clipboard_clear_s: 60, notification_preview: false, backup_excluded: true, wipe_on_sign_out: true, message_keep_days: 0,
  role: {
    manager: { message_window_days: 0, pipeline_days: 90, lock_after_days: 14 },
    admin: { message_window_days: 7, pipeline_days: null, lock_after_days: null },
  },
};

function lockView(reason: LockReason, opens_with: OpensWith): LockView {
  return { reason, opens_with, not_before: null, wipes_at: now() + 13 * DAY, unsent: 3, server: 'https://parley.example', problem: opens_with === 'contact' ? 'offline' : null };
}

/** The phase of a scene that begins locked. */
export function lockedPhase(scene: string): Phase | null {
  const lock = LOCKS[scene];
  return lock ? { phase: 'locked', lock: lockView(...lock) } : null;
}

export function desk(at: { scene: string; offline: boolean; set: (phase: Phase) => Phase; enter: () => Phase; current: () => Phase; passphraseSet: () => void }): Handlers {
  let pin: string | null = ['locked', 'pin'].includes(at.scene) ? PIN : null;
  let tries = 0;
  let own: DevicePolicy | null = null;
  let epoch = 0;
  let drafts = 2;
  const appLock = (): AppLock => ({ pin: pin !== null, passphrase: at.scene === 'passphrase', idle_min: pin !== null ? 15 : 0 });
  const rules = (): DeviceRules => {
    const { role: _roles, search_index: _index, deletion_promise_days: _promise, log_days: _days, log_max_mb: _size, backup_excluded: _backup, ...rest } = own ?? defaultPolicy;
    return { ...rest, pipeline_days: 0 };
  };
  const lease = (): LeaseView => {
    const heard_at = at.scene === 'expiring' ? now() - 5 * DAY + HOUR : at.scene === 'last_day' ? now() - 6 * DAY - 4 * HOUR : at.offline ? now() - 14 * HOUR : now() - 60_000;
    return { heard_at, locks_at: heard_at + 7 * DAY, wipes_at: heard_at + 21 * DAY, days_left: Math.floor((heard_at + 7 * DAY - now()) / DAY), in_custody: true };
  };
  const storage = (): StorageView => ({
    stores: [
      { store: 'local_copy', bytes: 48_300_000, rows: 12_431, oldest: now() - 30 * DAY, newest: now() - 60_000, keeps_days: 30, clearable: 'local_copy' },
      { store: 'outbox', bytes: 98_304, rows: 3, oldest: now() - 2 * HOUR, newest: now() - HOUR, keeps_days: null, clearable: null },
      { store: 'drafts', bytes: 0, rows: drafts, oldest: drafts ? now() - 3 * DAY : null, newest: drafts ? now() - HOUR : null, keeps_days: 14, clearable: 'drafts' },
      { store: 'media', bytes: 20_480, rows: 0, oldest: null, newest: null, keeps_days: 7, clearable: null },
      { store: 'keys', bytes: 1_420, rows: 0, oldest: null, newest: null, keeps_days: null, clearable: null },
      { store: 'settings', bytes: 412, rows: 0, oldest: null, newest: null, keeps_days: null, clearable: null },
    ],
    rules: rules(), lease: lease(),
  });
  const check = (typed: string | null): void => {
    if (typed === pin) {
      tries = 0;
      return;
    }
    tries += 1;
    const phase = at.current();
    if (phase.phase === 'locked' && tries > 2) at.set({ phase: 'locked', lock: { ...phase.lock, not_before: now() + 30_000 } });
    throw new IpcError('wrong_pin', 'wrong');
  };
  return {
    lock: () => at.set({ phase: 'locked', lock: lockView('asked', pin === null ? 'click' : 'pin') }),
    unlock: ({ secret }) => {
      const phase = at.current();
      if (phase.phase !== 'locked') return phase;
      if (phase.lock.not_before !== null && phase.lock.not_before > now()) throw new IpcError('rate_limited', 'wait');
      if (phase.lock.opens_with === 'contact') throw new IpcError('offline', 'not reached');
      if (phase.lock.opens_with === 'sign_in') throw new IpcError('unauthorized', 'the session has ended');
      if (phase.lock.opens_with === 'pin') check(secret);
      return at.enter();
    },
    app_lock: appLock,
    set_pin: ({ current, pin: fresh }) => {
      if (fresh.length < 6) throw new IpcError('weak_pin', 'too short');
      if (pin !== null) check(current);
      pin = fresh;
      return appLock();
    },
    remove_pin: ({ current }) => {
      check(current);
      pin = null;
      return appLock();
    },
    set_up_passphrase: ({ passphrase }) => {
      if (passphrase.length < 12) throw new IpcError('weak_pin', 'too short');
      at.passphraseSet();
      return at.current();
    },
    sign_in_again: ({ password, code }) => {
      if (password === 'wrong') throw new IpcError('bad_credentials', 'wrong');
      if (password === 'factor' && code === null) throw new IpcError('second_factor_needed', 'a code is needed');
      return { phase: at.enter(), recovered: at.scene === 'wrong_key' ? 3 : null };
    },
    active: () => null,
    lease,
    storage,
    clear_storage: ({ what }) => {
      if (what === 'drafts') drafts = 0;
      return storage();
    },
    device_policy: () => {
      if (at.offline) throw new IpcError('offline', 'not reached');
      return { policy: own ?? defaultPolicy, default: defaultPolicy, epoch, own: own !== null, changed_at: epoch ? now() : null, changed_by: null };
    },
    set_device_policy: ({ policy }) => {
      if (policy && policy.wipe_after_days >= policy.deletion_promise_days) throw new IpcError('policy_invalid', 'a promise would be broken');
      own = policy;
      epoch += 1;
      return null;
    },
  };
}
