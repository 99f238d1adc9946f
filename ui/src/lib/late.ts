// Modules that are loaded on demand, one after the other. WebKit may hand out a module before it has run when another one is
// being loaded that shares imports with it: whoever clicks quickly then gets an empty screen.
let last: Promise<unknown> = Promise.resolve();

/** Loads when everything that was asked for earlier is there. */
export function late<T>(load: () => Promise<T>): Promise<T> {
  const next = last.then(load);
  last = next.catch(() => undefined);
  return next;
}
