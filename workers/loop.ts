export type Loop = {
  /** Asks for a round soon, without waiting for the interval. */
  wake(): void;
  /** Ends after the round that is under way. */
  stop(): Promise<void>;
};

/**
 * Runs `round` again and again: `interval` milliseconds after the last one, or sooner when woken, but never
 * twice within `gap`. A round that throws is reported, and the next comes all the same.
 */
export function startLoop(
  round: () => Promise<void>,
  { interval, gap = 0, onError }: { interval: number; gap?: number; onError: (error: unknown) => void },
): Loop {
  let stopped = false;
  let woken = false;
  let interrupt = () => {};

  const sleep = (milliseconds: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      interrupt = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  const running = (async () => {
    while (!stopped) {
      woken = false;
      await round().catch(onError);
      if (!stopped) await new Promise((resolve) => setTimeout(resolve, gap));
      if (!stopped && !woken) await sleep(interval);
    }
  })();

  return {
    wake() {
      woken = true;
      interrupt();
    },
    async stop() {
      stopped = true;
      interrupt();
      await running;
    },
  };
}
