// Who is signed in, how the server is heard, and the counts that frame every screen.
import { asIpcError, call, onEvent, onRefusal, type IpcError } from '../ipc/ipc';
import type { Connection, MemberView, Phase, Sidebar } from '../ipc/generated';
import { fresh } from './fresh';

let phase = $state.raw<Phase>({ phase: 'opening' });
let connection = $state.raw<Connection | null>(null);
let sidebar = $state.raw<Sidebar | null>(null);
let factorMissing = $state(false);
let settingFactor = $state(false);
let failure = $state.raw<IpcError | null>(null);

export const session = {
  get phase(): Phase {
    return phase;
  },
  set phase(next: Phase) {
    phase = next;
    if (next.phase !== 'ready') {
      factorMissing = false;
      // Names and counts of a desk that is closed.
      connection = null;
      sidebar = null;
    }
    if (next.phase === 'ready') void Promise.all([readConnection(), readSidebar()]);
  },
  get me() {
    return phase.phase === 'ready' ? phase.me : null;
  },
  get connection(): Connection | null {
    return connection;
  },
  get offline(): boolean {
    return connection?.state === 'offline';
  },
  get sidebar(): Sidebar | null {
    return sidebar;
  },
  /** The workspace asks for a second factor and the member has none: the server answers nothing else until it is set up. */
  get factorMissing(): boolean {
    return settingFactor || factorMissing || connection?.problem === 'second_factor_required';
  },
  /** It is being set up: its screen stays until the member has seen the recovery codes, whatever the server says meanwhile. */
  set settingFactor(now: boolean) {
    settingFactor = now;
  },
  factorSet(): void {
    factorMissing = false;
    void call('sync_now', {}).catch(() => undefined).then(readConnection);
  },
  /** The engine itself does not answer. */
  get failure(): IpcError | null {
    return failure;
  },
  member: (id: string | null): MemberView | undefined => sidebar?.members.find((it) => it.id === id),
};

const readPhase = fresh(async () => {
  try {
    session.phase = await call('phase', {});
    failure = null;
  } catch (error) {
    failure = asIpcError(error);
  }
});
const readConnection = fresh(async () => {
  connection = await call('connection', {}).catch(() => connection);
});
const readSidebar = fresh(async () => {
  sidebar = await call('sidebar', {}).catch(() => sidebar);
});

// The code is also said when somebody wants to remove the factor that is asked for: the member's own access knows better.
let asking = false;
async function readFactor(): Promise<void> {
  if (asking) return;
  asking = true;
  factorMissing = await call('own_access', {}).then((own) => !own.two_factor, ({ code }: IpcError) => code === 'second_factor_required');
  asking = false;
}

export function begin(): void {
  onRefusal(({ code }) => code === 'second_factor_required' && void readFactor());
  onEvent((event) => {
    if (event.event === 'phase') void readPhase();
    if (event.event === 'connection' || event.event === 'outbox') void readConnection();
    if (event.event === 'lists' || event.event === 'outbox' || event.event === 'board') void readSidebar();
  });
  void readPhase();
}
export { readPhase as retry };
