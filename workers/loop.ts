export type Loop = {
  /** Asks for a round soon, without waiting for the interval. */
  wake(): void;
  /** Ends after the round that is under way. */
  stop(): Promise<void>;
};

type Options = {
  /** The longest time between two rounds, in milliseconds. */
  interval: number;
  /** The shortest, in milliseconds. */
  gap?: number;
  /** Whether it is time for a round; where it is not, this is asked again after the shortest time. */
  isTime?: () => Promise<boolean>;
  onError: (error: unknown) => void;
};

/**
 * Runs `round` again and again, at most `interval` apart, sooner when woken. A round that throws is reported, and the
 * next comes all the same.
 */
export function startLoop(
  round: () => Promise<void>,
  { interval, gap = 0, isTime = async () => true, onError }: Options,
): Loop {
  let stopped = false;
  let woken = false;
  let resting = false;
  let interrupt = () => {};

  const sleep = (milliseconds: number) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      interrupt = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  /** @returns whether there was a round, or an attempt at one */
  async function take(): Promise<boolean> {
    try {
      if (!(await isTime())) return false;
      await round();
    } catch (error) {
      onError(error);
    }
    return true;
  }

  const running = (async () => {
    while (!stopped) {
      woken = false;
      const isDone = await take();
      resting = true;
      if (!stopped) await sleep(gap);
      resting = false;
      if (!stopped && !woken && isDone) await sleep(interval - gap);
    }
  })();

  return {
    wake() {
      woken = true;
      if (!resting) interrupt();
    },
    async stop() {
      stopped = true;
      interrupt();
      await running;
    },
  };
}
