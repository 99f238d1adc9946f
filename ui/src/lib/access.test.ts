import { describe, expect, it } from 'vitest';
import { readInvitation, seenBy, sees, writeInvitation } from './access';
import type { AccessOverview, MemberEntry } from './ipc/generated';

const member = (id: string, more: Partial<MemberEntry> = {}): MemberEntry => ({ id, name: id, email: `${id}@example.com`, role: 'agent', active: true, inboxes: [], teams: [], two_factor: true, last_seen_at: null, ...more });
const overview: AccessOverview = {
  members: [member('admin', { role: 'admin' }), member('named', { inboxes: ['sales'] }), member('both', { inboxes: ['sales'], teams: ['shop'] }), member('team', { teams: ['shop'] }), member('nobody'), member('gone', { active: false, inboxes: ['sales'] })],
  invitations: [],
  teams: [{ id: 'shop', name: 'Shop', members: ['both', 'team'], inboxes: ['sales', 'social'] }],
  inboxes: ['sales', 'social', 'support'].map((id) => ({ id, name: id, channel: 'whatsapp', address: null, connected: true })),
  rules: { two_factor_required: false, mask_contacts: false },
};

describe('who sees an inbox', () => {
  it('is named with every reason, and without those who may not sign in', () => {
    expect(seenBy('sales', overview).map(({ member: { id }, through }) => [id, through.map((it) => it.kind)])).toEqual([['admin', ['role']], ['named', ['name']], ['both', ['name', 'team']], ['team', ['team']]]);
    expect(seenBy('support', overview).map((it) => it.member.id)).toEqual(['admin']);
  });
  it('is the same question as what a member sees', () => {
    expect(Object.fromEntries(overview.members.map((it) => [it.id, sees(it, overview).map(({ id }) => id)]))).toEqual({
      admin: ['sales', 'social', 'support'], named: ['sales'], both: ['sales', 'social'], team: ['sales', 'social'], nobody: [], gone: ['sales'],
    });
  });
});

describe('an invitation', () => {
  it('is read whole, without scheme, with spaces around, or as a token beside the server', () => {
    const wanted = { server: 'https://parley.example', token: 'abc' };
    for (const text of ['https://parley.example#abc', ' https://parley.example/#abc\n', 'parley.example#abc']) expect(readInvitation(text, '')).toEqual(wanted);
    expect(readInvitation('abc', 'parley.example')).toEqual(wanted);
    expect(readInvitation('http://127.0.0.1:8080#abc', '')).toEqual({ server: 'http://127.0.0.1:8080', token: 'abc' });
  });
  it('is not read from half of it', () => {
    for (const [text, server] of [['', 'a.example'], ['abc', ''], ['https://parley.example#', ''], ['#abc', ''], ['two words', 'a.example']] as const) expect(readInvitation(text, server)).toBeNull();
  });
  it('is written as it is read', () => expect(readInvitation(writeInvitation('https://parley.example/', 'abc'), '')).toEqual({ server: 'https://parley.example', token: 'abc' }));
});
