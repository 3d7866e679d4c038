/** A fixed number of places that several takers share. */
export type Places = {
  /**
   * Takes up to `most` places, and waits for them if need be: a moment until most of all places are free,
   * since few letters at a time cost nearly as many statements as many, and then for a single one.
   */
  take(most: number): Promise<number>;
  /** Takes what is free at once, 0 to `most`: who has begun goes before those who wait to begin. */
  takeNow(most: number): number;
  /** Gives places back. */
  give(count: number): void;
};

/** How long a taker waits for many places before it is content with few, in milliseconds. */
const moment = 250;

export function createPlaces(total: number): Places {
  const many = Math.ceil(total * 0.8);
  const waiting: Array<{ enough: number; serve: () => void }> = [];
  let free = total;

  const grab = (most: number) => {
    const taken = Math.min(free, most);
    free -= taken;
    return taken;
  };
  const serveFirst = () => {
    if (waiting[0] && free >= waiting[0].enough) waiting.shift()?.serve();
  };
  return {
    async take(most) {
      if (waiting.length === 0 && free >= Math.min(most, many)) return grab(most);
      const taken = await new Promise<number>((resolve) => {
        const taker = {
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
        waiting.push(taker);
      });
      serveFirst();
      return taken;
    },
    takeNow: grab,
    give(count) {
      free += count;
      serveFirst();
    },
  };
}
