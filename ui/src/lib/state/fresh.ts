// Runs a fetch so that the newest wish wins: one at a time, and once more when asked meanwhile.

/** A function that starts `work`, or marks it to run again right after the run that is under way. */
export function fresh(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let again = false;
  const start = async (): Promise<void> => {
    do {
      again = false;
      await work();
    } while (again);
  };
  return () => {
    if (running) {
      again = true;
      return running;
    }
    running = start().finally(() => (running = undefined));
    return running;
  };
}
