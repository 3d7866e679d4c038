/** A fixed number of places that several takers share. */
export type Places = {
  /**
   * Takes up to `most` places, and waits for them if need be: until most of all places are free, since few letters at
   * a time cost nearly as many statements as many, or until a place has been free for a moment and others did not
   * follow. Who wants few goes before those who want many.
   */
  take(most: number): Promise<number>;
  /**
   * Takes what is free at once, 0 to `most`: who has begun goes before those who wait to begin, unless they want few.
   */
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

/** Who wants many is served once this share of all places is free, or of so many if there are more. */
const enough = { share: 0.8, of: 100 };

/** How long a free place waits for others beside it, while somebody waits for many; in milliseconds. */
const moment = 250;

/** @param total how many places there are at the moment; if they have become fewer, those that come back are not given again */
export function createPlaces(total: () => number): Places {
  const waiting: Array<{ most: number; serve: () => void }> = [];
  let held = 0;
  let patience: NodeJS.Timeout | undefined; // runs while a place is free that the first in the queue waits to take

  const free = () => Math.max(0, total() - held);
  const enoughFor = (most: number) => Math.min(most, Math.ceil(enough.share * Math.min(total(), enough.of)));
  const grab = (most: number) => {
    const taken = Math.min(free(), most);
    held += taken;
    return taken;
  };
  const beImpatient = () => {
    patience = undefined;
    serve(1);
  };
  const serve = (atLeast = Number.POSITIVE_INFINITY) => {
    const first = waiting[0];
    if (first && free() >= Math.min(enoughFor(first.most), atLeast)) {
      waiting.shift();
      first.serve();
      serve();
    } else if (first && free() > 0) {
      patience ??= setTimeout(beImpatient, moment);
    } else {
      clearTimeout(patience);
      patience = undefined;
    }
  };
  const give = (count: number) => {
    held -= count;
    serve();
  };
  const asked = () => waiting.reduce((sum, { most }) => sum + (most <= few ? most : 0), 0);
  return {
    async take(most) {
      if (waiting.length === 0 && free() >= enoughFor(most)) return grab(most);
      return new Promise<number>((resolve) => {
        const behind = waiting.findIndex((other) => most <= few && other.most > few);
        const taker = { most, serve: () => resolve(grab(most)) };
        waiting.splice(behind === -1 ? waiting.length : behind, 0, taker);
        serve();
      });
    },
    takeNow(most) {
      const taken = asked() > 0 ? 0 : grab(most);
      serve(); // nobody gets anything by that, but whoever waits for many begins to wait anew
      return taken;
    },
    asked,
    lend(idle) {
      const lent = Math.max(0, Math.min(idle, asked()));
      if (lent > 0) give(lent);
      return lent;
    },
    give,
  };
}
