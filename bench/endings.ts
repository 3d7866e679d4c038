/**
 * Does some work, and ends what it began when it is over, fails, or is interrupted: the last first. `atEnd` is told how.
 */
export async function withEndings(
  work: (atEnd: (end: () => Promise<unknown>) => void) => Promise<void>,
): Promise<void> {
  const endings: (() => Promise<unknown>)[] = [];
  const endAll = async () => {
    for (const end of endings.splice(0).reverse())
      await end().catch((error) => process.stderr.write(`${error}\n`));
  };
  let interrupted = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      interrupted = true;
      void endAll().then(() => process.exit(130));
    });
  }
  try {
    await work((end) => endings.push(end));
  } catch (error) {
    if (!interrupted) throw error; // otherwise what was ended says so, and nobody wants to know
  } finally {
    await endAll();
  }
}
