import { codeOf, ExpectedError } from './expected.ts';

/** Is told how to end what was begun. */
export type AtEnd = (end: () => Promise<unknown>) => void;

/**
 * A program that begins what outlives it, such as servers and folders: does its work, and ends what it began when that is
 * over, fails, or is interrupted, the last first. A failure is said, with status 1; when whoever reads what it says goes
 * away, as `| head` does, that is one, too.
 */
export async function runWithEndings(work: (atEnd: AtEnd) => Promise<void>): Promise<void> {
  const endings: (() => Promise<unknown>)[] = [];
  let ended: Promise<void> | undefined;
  const endAll = () => {
    ended ??= (async () => {
      for (let end = endings.pop(); end; end = endings.pop()) await end().catch(say);
    })();
    return ended;
  };
  let interrupted = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      interrupted = true;
      void endAll().then(() => process.exit(130));
    });
  }
  process.on('uncaughtException', (error) => {
    if (!interrupted) say(error);
    interrupted = true;
    void endAll().then(() => process.exit(1));
  });
  try {
    await work((end) => endings.push(end));
  } catch (error) {
    if (interrupted) return; // what was ended under it says so, and nobody wants to know
    say(error);
    process.exitCode = 1;
  } finally {
    await endAll();
  }
}

function say(error: unknown): void {
  if (codeOf(error) === 'EPIPE') return; // nobody reads it
  process.stderr.write(`${error instanceof ExpectedError ? error.message : (error as Error).stack}\n`);
}
