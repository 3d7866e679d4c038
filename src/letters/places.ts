/** A fixed number of places that several takers share. */
export type Places = {
  /**
   * Takes up to `most` places, and waits for them if need be: a moment until most of all places are free,
   * since few letters at a time cost nearly as many statements as many, and then for a single one. Who wants
   * few goes before those who want many.
   */
  take(most: number): Promise<number>;
  /** Takes what is free at once, 0 to `most`: who has begun goes before those who wait to begin. */
  takeNow(most: number): number;
  /** How many places those want who wait for few: a single letter shall not wait for a launch. */
  asked(): number;
  /** Gives them as many of a taker's `idle` places. Returns how many. */
  lend(idle: number): number;
  /** Gives places back. */
  give(count: number): void;
};

/** Up to so many letters go before those that are part of many: one person's must not wait for a launch. */
export const few = 2;

/** How long a taker waits for many places before it is content with few, in milliseconds. */
const moment = 250;

export function createPlaces(total: number): Places {
  const many = Math.ceil(total * 0.8);
  const waiting: Array<{ most: number; enough: number; serve: () => void }> = [];
  let free = total;

  const grab = (most: number) => {
    const taken = Math.min(free, most);
    free -= taken;
    return taken;
  };
  const serveFirst = () => {
    if (waiting[0] && free >= waiting[0].enough) waiting.shift()?.serve();
  };
  const give = (count: number) => {
    free += count;
    serveFirst();
  };
  const asked = () => waiting.reduce((sum, { most }) => sum + (most <= few ? most : 0), 0);
  return {
    async take(most) {
      if (waiting.length === 0 && free >= Math.min(most, many)) return grab(most);
      const taken = await new Promise<number>((resolve) => {
        const taker = {
          most,
          enough: Math.min(most, many),
          serve: () => {
            clearTimeout(timer);
            resolve(grab(most));
          },
        };
        const timer = setTimeout(() => {
          taker.enough = 1;
          serveFirst();
        }, moment);
        const behind = waiting.findIndex((other) => most <= few && other.most > few);
        waiting.splice(behind === -1 ? waiting.length : behind, 0, taker);
        serveFirst();
      });
      serveFirst();
      return taken;
    },
    takeNow: grab,
    asked,
    lend(idle) {
      const lent = Math.max(0, Math.min(idle, asked()));
      if (lent > 0) give(lent);
      return lent;
    },
    give,
  };
}
