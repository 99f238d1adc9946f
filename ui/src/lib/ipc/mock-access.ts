// The demo engine's part for access: members, teams, invitations, devices, second factor, rules, audit log. In the demo any
// password but `wrong` proves presence, and 123 456 is the code of every second factor.
import { now } from '../state/clock.svelte';
import { DAY, HOUR, ME, MINUTE, NOW, id, inboxes } from './fixture';
import type { AccessOverview, AuditEntry, Code, Commands, DeviceEntry, MemberEntry, OwnAccess, Phase, Role } from './generated';
import { IpcError } from './ipc';

type Handlers = { [K in keyof Commands]: (args: Commands[K][0]) => Commands[K][1] };
type Part = Pick<Handlers,
  | 'invitation_offer' | 'accept_invitation' | 'own_access' | 'step_up' | 'change_password' | 'begin_two_factor' | 'confirm_two_factor' | 'remove_two_factor' | 'devices' | 'revoke_device'
  | 'access_overview' | 'invite' | 'cancel_invitation' | 'update_member' | 'reset_two_factor' | 'put_team' | 'delete_team' | 'set_access_rules' | 'audit'>;
interface Setting {
  role: Role;
  offline: boolean;
  empty: boolean;
  /** The workspace asks for a second factor, and this member has none. */
  factorRequired: boolean;
  /** Signs the demo's member in. */
  enter: () => Phase;
}

const CODE = '123456';
const STEP_UP_LASTS = 10 * MINUTE;
const refuse = (code: Code): never => {
  throw new IpcError(code, code);
};
const inbox = (n: number): string => id('bbbb', n);
const team = (n: number): string => id('7777', n);
const member = (n: number): string => id('aaaa', n);

function people(role: Role): MemberEntry[] {
  const make = (n: number, name: string, email: string, more: Partial<MemberEntry>): MemberEntry => ({
    id: member(n), name, email, role: 'agent', active: true, inboxes: [], teams: [], two_factor: true, last_seen_at: NOW - 4 * MINUTE, ...more,
  });
  return [
    make(1, 'Rhea Kapoor', 'rhea@casalumen.example', { role, inboxes: [inbox(1), inbox(2)], two_factor: false, last_seen_at: NOW }),
    make(2, 'Dev Varma', 'dev@casalumen.example', { inboxes: [inbox(1)], teams: [team(1)] }),
    make(3, 'Alma Lopes', 'alma@casalumen.example', { teams: [team(1), team(2)], last_seen_at: NOW - 26 * MINUTE }),
    make(4, 'نور الحسن', 'noor@casalumen.example', { inboxes: [inbox(2)], teams: [team(2)], two_factor: false, last_seen_at: NOW - 3 * HOUR }),
    make(5, 'Tomás Reyes', 'tomas@casalumen.example', { role: 'manager', inboxes: [inbox(1), inbox(2), inbox(3)], last_seen_at: NOW - 28 * HOUR }),
    make(6, 'Freya Holm', 'freya@casalumen.example', { role: 'admin', last_seen_at: NOW - 2 * HOUR }),
    make(7, 'Kofi Mensah', 'kofi@casalumen.example', { active: false, inboxes: [inbox(2)], last_seen_at: NOW - 61 * DAY }),
  ];
}

const STORY: [age: number, actor: number | null, action: string, target: string, name: string | null, details: string][] = [
  [12 * MINUTE, 1, 'member.invited', 'invitation/1', 'clara@casalumen.example', 'agent, inboxes: 1, teams: 0'],
  [2 * HOUR, 6, 'access.rules_changed', 'workspace/1', 'Casa Lumen', 'mask_contacts'],
  [3 * HOUR, 4, 'device.signed_in', 'device/9', 'ThinkPad, Support', ''],
  [5 * HOUR, 6, 'member.access_changed', 'member/2', 'Dev Varma', 'inboxes: 1, teams: 1'],
  [DAY, 3, 'member.two_factor_set', 'member/3', 'Alma Lopes', ''],
  [1.2 * DAY, null, 'inbox.connected', 'inbox/4', 'Casa Lumen', ''],
  [2 * DAY, 6, 'team.changed', 'team/2', 'Returns', 'members: 2, inboxes: 1'],
  [2.5 * DAY, 6, 'device.revoked', 'device/7', 'Old desk, Kofi', ''],
  [3 * DAY, 6, 'member.deactivated', 'member/7', 'Kofi Mensah', ''],
  [4 * DAY, 5, 'member.password_changed', 'member/5', 'Tomás Reyes', ''],
  [6 * DAY, 6, 'retention.class_widened', 'policy/3', null, 'media'],
];
function story(): AuditEntry[] {
  const names = new Map(people('admin').map((it) => [it.id, it.name]));
  const total = 152;
  return Array.from({ length: total }, (_, n): AuditEntry => {
    const [age, actor, action, target, target_name, details] = STORY[n % STORY.length] as (typeof STORY)[number];
    return {
      id: id('6666', total - n), place: total - n, at: NOW - age - Math.floor(n / STORY.length) * 7 * DAY, actor: actor === null ? null : member(actor),
      actor_name: actor === null ? null : (names.get(member(actor)) ?? null), action, target, target_name, details,
    };
  });
}

export function access({ role, offline, empty, factorRequired, enter }: Setting): Part {
  const overview: AccessOverview = {
    members: empty ? people(role).slice(0, 1) : people(role),
    invitations: empty ? [] : [
      { id: id('8888', 1), email: 'clara@casalumen.example', role: 'agent', inboxes: [inbox(1)], teams: [], invited_by: 'Rhea Kapoor', created_at: NOW - 12 * MINUTE, expires_at: NOW + 7 * DAY, mailed: true },
      { id: id('8888', 2), email: 'yusuf@casalumen.example', role: 'manager', inboxes: [], teams: [team(2)], invited_by: 'Freya Holm', created_at: NOW - 6 * DAY, expires_at: NOW + 21 * HOUR, mailed: false },
    ],
    teams: empty ? [] : [
      { id: team(1), name: 'Showroom', members: [member(2), member(3)], inboxes: [inbox(1), inbox(3)] },
      { id: team(2), name: 'Returns', members: [member(3), member(4)], inboxes: [inbox(2)] },
    ],
    inboxes: empty ? [] : inboxes.map(({ id, name, channel, address, connected }) => ({ id, name, channel, address, connected })),
    rules: { two_factor_required: factorRequired, mask_contacts: true },
  };
  const own: OwnAccess = { email: 'rhea@casalumen.example', two_factor: false, two_factor_required: factorRequired, recovery_codes_left: 0, stepped_up_until: null };
  const devices = new Map<string, DeviceEntry[]>(
    overview.members.map((it, n): [string, DeviceEntry[]] => [
      it.id,
      [
        { id: id('9999', n * 10), name: n === 0 ? 'Casa Lumen front desk' : `${it.name} · laptop`, created_at: NOW - (40 + n) * DAY, last_seen_at: it.last_seen_at ?? NOW, revoked_at: it.active ? null : NOW - 60 * DAY, current: n === 0, copy: null },
        ...(n === 0 ? [
          { id: id('9999', 1), name: 'Rhea’s MacBook', created_at: NOW - 112 * DAY, last_seen_at: NOW - 5 * HOUR, revoked_at: null, current: false, copy: { heard_at: NOW - 5 * HOUR, unsent: 0, drafts: 1, state: 'usable' as const, locks_at: NOW + 7 * DAY, wipes_at: NOW + 21 * DAY, erasures_waiting: 0 } },
          { id: id('9999', 2), name: 'Warehouse PC', created_at: NOW - 200 * DAY, last_seen_at: NOW - 34 * DAY, revoked_at: null, current: false, copy: { heard_at: NOW - 34 * DAY, unsent: 3, drafts: 1, state: 'expired_unconfirmed' as const, locks_at: NOW - 27 * DAY, wipes_at: NOW - 13 * DAY, erasures_waiting: 1 } },
          { id: id('9999', 3), name: 'Old ThinkPad', created_at: NOW - 400 * DAY, last_seen_at: NOW - 90 * DAY, revoked_at: NOW - 88 * DAY, current: false, copy: null },
        ] : []),
      ],
    ]),
  );
  let log = empty ? [] : story();
  let factorOffered = false;
  let minted = 100;
  const mint = (kind: string): string => id(kind, (minted += 1));
  const note = (action: string, target: string, target_name: string | null, details = ''): void => {
    const place = (log[0]?.place ?? 0) + 1;
    log = [{ id: id('6666', place), place, at: now(), actor: ME, actor_name: 'Rhea Kapoor', action, target, target_name, details }, ...log];
  };

  const online = (): void => void (offline && refuse('offline'));
  const reach = (): void => {
    online();
    if (own.two_factor_required && !own.two_factor) refuse('second_factor_required');
  };
  const present = (): void => {
    if ((own.stepped_up_until ?? 0) < now()) refuse('step_up_needed');
  };
  const admin = (): void => {
    reach();
    if (role !== 'admin') refuse('forbidden');
  };
  const strong = (password: string): void => void ((password.length < 10 || password.startsWith('password')) && refuse('weak_password'));
  const lastAdmin = (except: string): boolean => !overview.members.some((it) => it.id !== except && it.active && it.role === 'admin');

  return {
    invitation_offer: ({ token }) => {
      if (token.startsWith('expired')) refuse('invitation_invalid');
      return { workspace: 'Casa Lumen', email: 'clara@casalumen.example', role: 'agent', invited_by: 'Rhea Kapoor', expires_at: NOW + 7 * DAY };
    },
    accept_invitation: ({ password }) => {
      strong(password);
      return enter();
    },
    own_access: () => {
      online();
      return own;
    },
    step_up: ({ password, code }) => {
      online();
      if (password === 'wrong') refuse('bad_credentials');
      if (own.two_factor && !code) refuse('second_factor_needed');
      if (own.two_factor && code !== CODE) refuse('bad_second_factor');
      own.stepped_up_until = now() + STEP_UP_LASTS;
      return { until: own.stepped_up_until };
    },
    change_password: ({ password }) => {
      reach();
      present();
      strong(password);
      note('member.password_changed', `member/${ME}`, 'Rhea Kapoor');
      return null;
    },
    begin_two_factor: () => {
      online();
      present();
      factorOffered = true;
      const secret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';
      return { secret, uri: `otpauth://totp/Casa%20Lumen:rhea@casalumen.example?secret=${secret}&issuer=Casa%20Lumen&algorithm=SHA1&digits=6&period=30` };
    },
    confirm_two_factor: ({ code }) => {
      online();
      if (!factorOffered) refuse('conflict');
      if (code !== CODE) refuse('bad_second_factor');
      Object.assign(own, { two_factor: true, recovery_codes_left: 10 });
      overview.members = overview.members.map((it) => (it.id === ME ? { ...it, two_factor: true } : it));
      note('member.two_factor_set', `member/${ME}`, 'Rhea Kapoor');
      return { codes: Array.from({ length: 10 }, (_, n) => `${(7919 * (n + 3)).toString(36).padStart(5, 'k')}-${(104_729 * (n + 11)).toString(36).slice(-5)}`) };
    },
    remove_two_factor: () => {
      reach();
      if (own.two_factor_required) refuse('second_factor_required');
      present();
      Object.assign(own, { two_factor: false, recovery_codes_left: 0 });
      overview.members = overview.members.map((it) => (it.id === ME ? { ...it, two_factor: false } : it));
      note('member.two_factor_removed', `member/${ME}`, 'Rhea Kapoor');
      return null;
    },
    devices: ({ member: of }) => {
      reach();
      if (of && of !== ME) admin();
      return (devices.get(of ?? ME) ?? []).map((it) => (it.current ? { ...it, last_seen_at: now() } : it));
    },
    revoke_device: ({ device }) => {
      reach();
      for (const [of, list] of devices) {
        const found = list.find((it) => it.id === device);
        if (!found) continue;
        if (of !== ME) admin();
        devices.set(of, list.map((it) => (it.id === device ? { ...it, revoked_at: now() } : it)));
        note('device.revoked', `device/${device}`, found.name);
      }
      return null;
    },
    access_overview: () => {
      admin();
      return overview;
    },
    invite: ({ email, role: wanted, inboxes: granted, teams }) => {
      admin();
      if (overview.members.some((it) => it.email === email)) refuse('conflict');
      present();
      const invitation = { id: mint('8888'), email, role: wanted, inboxes: granted, teams, invited_by: 'Rhea Kapoor', created_at: now(), expires_at: now() + 7 * DAY, mailed: !email.includes('nomail') };
      overview.invitations = [invitation, ...overview.invitations];
      note('member.invited', `invitation/${invitation.id}`, email, `${wanted}, inboxes: ${granted.length}, teams: ${teams.length}`);
      return { invitation, token: 'pi_7Q3xVb0Yk2mR8tLw5uNf9cHs1dJg4aZe6oXiKpTz' };
    },
    cancel_invitation: ({ invitation }) => {
      admin();
      const found = overview.invitations.find((it) => it.id === invitation);
      overview.invitations = overview.invitations.filter((it) => it.id !== invitation);
      note('invitation.cancelled', `invitation/${invitation}`, found?.email ?? null);
      return null;
    },
    update_member: ({ member: of, ...next }) => {
      admin();
      present();
      if ((next.role !== 'admin' || !next.active) && lastAdmin(of)) refuse('last_admin');
      overview.members = overview.members.map((it) => (it.id === of ? { ...it, ...next } : it));
      overview.teams = overview.teams.map((it) => ({ ...it, members: [...it.members.filter((who) => who !== of), ...(next.teams.includes(it.id) ? [of] : [])] }));
      note('member.access_changed', `member/${of}`, overview.members.find((it) => it.id === of)?.name ?? null, `inboxes: ${next.inboxes.length}, teams: ${next.teams.length}`);
      return null;
    },
    reset_two_factor: ({ member: of }) => {
      admin();
      present();
      overview.members = overview.members.map((it) => (it.id === of ? { ...it, two_factor: false } : it));
      note('member.two_factor_reset', `member/${of}`, overview.members.find((it) => it.id === of)?.name ?? null);
      return null;
    },
    put_team: ({ team: known, name, members, inboxes: granted }) => {
      admin();
      present();
      if (overview.teams.some((it) => it.id !== known && it.name === name)) refuse('conflict');
      const put = { id: known ?? mint('7777'), name, members, inboxes: granted };
      overview.teams = known ? overview.teams.map((it) => (it.id === known ? put : it)) : [...overview.teams, put];
      overview.members = overview.members.map((it) => ({ ...it, teams: [...it.teams.filter((other) => other !== put.id), ...(members.includes(it.id) ? [put.id] : [])] }));
      note('team.changed', `team/${put.id}`, name, `members: ${members.length}, inboxes: ${granted.length}`);
      return put.id;
    },
    delete_team: ({ team: of }) => {
      admin();
      present();
      const found = overview.teams.find((it) => it.id === of);
      overview.teams = overview.teams.filter((it) => it.id !== of);
      overview.members = overview.members.map((it) => ({ ...it, teams: it.teams.filter((other) => other !== of) }));
      note('team.deleted', `team/${of}`, found?.name ?? null);
      return null;
    },
    set_access_rules: ({ rules }) => {
      admin();
      present();
      overview.rules = rules;
      own.two_factor_required = rules.two_factor_required;
      note('access.rules_changed', 'workspace/1', 'Casa Lumen', Object.keys(rules).join(' '));
      return null;
    },
    audit: ({ before, limit }) => {
      admin();
      const found = log.filter((it) => before === null || it.place < before);
      return { entries: found.slice(0, limit), sealed_upto: Math.min(141, log.length) };
    },
  };
}
