// The one door to the engine. No other file calls `invoke`, `listen`, `fetch` or `EventSource`.
//
// Three transports give the same commands and events: the shell (Tauri), the loopback bridge of development builds, and
// the demo engine in `mock.ts`, which production builds do not contain.
import type { Code, Commands, Event } from './generated';

/** Why a command failed; `code` is one of the closed set that the catalogs translate. */
export class IpcError extends Error {
  constructor(
    readonly code: Code,
    message: string,
  ) {
    super(message);
    this.name = 'IpcError';
  }
}

export interface Transport {
  call(name: string, args: unknown): Promise<unknown>;
  /** Hears every event; the engine goes on when the listener is slow. */
  listen(hear: (event: Event) => void): Promise<void>;
}

/** Any failure as an `IpcError`, so that screens have one shape to show. */
export function asIpcError(failure: unknown): IpcError {
  if (failure instanceof IpcError) return failure;
  if (typeof failure === 'object' && failure !== null && 'code' in failure) {
    const { code, message } = failure as { code: unknown; message?: unknown };
    return new IpcError(String(code) as Code, String(message ?? code));
  }
  return new IpcError('internal', failure instanceof Error ? failure.message : String(failure));
}

async function shell(): Promise<Transport> {
  const [{ invoke }, { listen }] = await Promise.all([import('@tauri-apps/api/core'), import('@tauri-apps/api/event')]);
  return {
    call: (name, args) => invoke('call', { name, args }),
    listen: async (hear) => {
      await listen<Event>('parley', ({ payload }) => hear(payload));
    },
  };
}

function bridge(token: string): Transport {
  return {
    async call(name, args) {
      let answer: Response;
      try {
        answer = await fetch(`/ipc/${name}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'x-parley-bridge': token },
          body: JSON.stringify(args),
        });
      } catch {
        throw new IpcError('internal', 'the engine does not answer');
      }
      const body: unknown = await answer.json().catch(() => null);
      if (!answer.ok) throw asIpcError(body ?? { code: 'internal', message: String(answer.status) });
      return body;
    },
    listen: (hear) =>
      new Promise((ready) => {
        const source = new EventSource(`/events?token=${encodeURIComponent(token)}`);
        source.onmessage = ({ data }: MessageEvent<string>) => hear(JSON.parse(data) as Event);
        source.onopen = () => ready();
        // The browser connects again by itself; the first screen does not wait for it.
        source.onerror = () => ready();
      }),
  };
}

async function choose(): Promise<Transport> {
  if ('__TAURI_INTERNALS__' in window) return shell();
  const query = new URLSearchParams(window.location.search);
  const token = query.get('bridge');
  if (token !== null) return bridge(token);
  if (import.meta.env.MODE !== 'production') {
    const { mock } = await import('./mock');
    return mock(query);
  }
  throw new IpcError('internal', 'this page was opened outside Parley');
}

let chosen: Promise<Transport> | undefined;
const transport = (): Promise<Transport> => (chosen ??= choose());

const refusals = new Set<(error: IpcError) => void>();

/** Hears every refusal; returns the way to stop. */
export function onRefusal(hear: (error: IpcError) => void): () => void {
  refusals.add(hear);
  return () => refusals.delete(hear);
}

/** Asks the engine; throws an `IpcError` when it refuses. */
export async function call<K extends keyof Commands>(name: K, args: Commands[K][0]): Promise<Commands[K][1]> {
  try {
    return (await (await transport()).call(name, args)) as Commands[K][1];
  } catch (failure) {
    const error = asIpcError(failure);
    refusals.forEach((hear) => hear(error));
    throw error;
  }
}

const listeners = new Set<(event: Event) => void>();
let listening: Promise<void> | undefined;

/** Hears the engine's events; returns the way to stop. */
export function onEvent(hear: (event: Event) => void): () => void {
  listeners.add(hear);
  listening ??= transport().then((it) => it.listen((event) => listeners.forEach((listener) => listener(event))));
  listening.catch(() => undefined);
  return () => listeners.delete(hear);
}

/** For component tests: answers instead of an engine. */
export function useTransport(it: Transport): void {
  chosen = Promise.resolve(it);
  listening = undefined;
}
