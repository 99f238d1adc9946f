// Reads an access overview for people: who sees which inbox, and through what. It explains the server's decision (admins see
// all; everybody else what is granted by name or through a team) and decides nothing.
import type { AccessOverview, InboxEntry, MemberEntry, TeamEntry } from './ipc/generated';

/** Why somebody sees an inbox. */
export type Through = { kind: 'role' } | { kind: 'name' } | { kind: 'team'; team: TeamEntry };

function through(member: Pick<MemberEntry, 'id' | 'role' | 'inboxes'>, inbox: string, teams: TeamEntry[]): Through[] {
  if (member.role === 'admin') return [{ kind: 'role' }];
  return [
    ...(member.inboxes.includes(inbox) ? [{ kind: 'name' } as const] : []),
    ...teams.filter((it) => it.members.includes(member.id) && it.inboxes.includes(inbox)).map((team) => ({ kind: 'team', team }) as const),
  ];
}

/** Active members who see the inbox, each with every reason. */
export const seenBy = (inbox: string, { members, teams }: AccessOverview): { member: MemberEntry; through: Through[] }[] =>
  members.filter((it) => it.active).map((member) => ({ member, through: through(member, inbox, teams) })).filter((it) => it.through.length > 0);

/** Inboxes that a member sees. */
export const sees = (member: Pick<MemberEntry, 'id' | 'role' | 'inboxes'>, { inboxes, teams }: AccessOverview): InboxEntry[] =>
  inboxes.filter((it) => through(member, it.id, teams).length > 0);

/** An invitation as it is pasted: `https://server#token`, or the token alone. */
export function readInvitation(text: string, server: string): { server: string; token: string } | null {
  const trimmed = text.trim();
  const [before, after] = trimmed.includes('#') ? [trimmed.slice(0, trimmed.indexOf('#')), trimmed.slice(trimmed.indexOf('#') + 1)] : [server.trim(), trimmed];
  if (!before || !after || /\s/u.test(after)) return null;
  const address = withScheme(before).replace(/\/+$/u, '');
  return URL.canParse(address) ? { server: address, token: after } : null;
}

/** A server's address as people type it. */
export const withScheme = (address: string): string => (/^https?:\/\//u.test(address) ? address : `https://${address}`);

/** What is handed to the invited person. */
export const writeInvitation = (server: string, token: string): string => (token.includes('#') ? token : `${server.replace(/\/+$/u, '')}#${token}`);
