export type Loop = {
  /** Asks for a round soon, without waiting for the interval. */
  wake(): void;
  /** Ends after the round that is under way. */
  stop(): Promise<void>;
};

type Options = {
  /** The longest time between two rounds, in milliseconds. */
  interval: number;
  /**
   * The shortest, in milliseconds: `least` after a quiet time, and twice as long after each round that was woken
   * meanwhile, up to `most`. So what comes alone is not kept waiting, and what comes in crowds shares a round.
   */
  gap?: { least: number; most: number };
  onError: (error: unknown) => void;
};

/**
 * Runs `round` again and again, at most `interval` apart, sooner when woken. A round that throws is reported, and the
 * next comes all the same.
 */
export function startLoop(
  round: () => Promise<void>,
  { interval, gap = { least: 0, most: 0 }, onError }: Options,
): Loop {
  let stopped = false;
  let woken = false;
  let distance = gap.least;
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

  const running = (async () => {
    while (!stopped) {
      woken = false;
      await round().catch(onError);
      resting = true;
      if (!stopped) await sleep(distance);
      resting = false;
      distance = woken ? Math.min(gap.most, 2 * distance) : gap.least;
      if (!stopped && !woken) await sleep(interval - gap.least);
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
