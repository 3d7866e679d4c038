/**
 * The letters of a worker that are with a mail server, or on the way there: so many at a time, each from one of the
 * lanes in which claimed letters wait. Lanes are served one after the other, so that the letters of a bundle are answered, and
 * recorded, together; but those of few letters go first: a person's must not wait for a launch.
 */
export type Air = {
  lane(isOfFew: boolean): Lane;
  /**
   * How many letters may be claimed beyond those that can leave at once: as many as were taken lately, so that they wait for
   * a moment only. None, where mail servers are slow or take nothing.
   */
  ahead(): number;
};

export type Lane = {
  /**
   * Waits for room. Who gets it must give it back.
   *
   * @param until the letter is not to leave any more after it
   * @returns false: it does not leave
   */
  enter(until: Until): Promise<boolean>;
  /** Gives room back. `isTaken`: a mail server took the letter. */
  leave(isTaken: boolean): void;
  /** How many wait for room. */
  waiting(): number;
  /** Lets nobody in until all that were given pauses are over: whatever a mail server said may concern all of them. */
  pause(): void;
  resume(pauses: number): void;
  isPaused(): boolean;
  /** Lets nobody in any more: those who wait are told so. */
  turnBack(): void;
  close(): void;
};

/** A moment by a clock that nobody sets and by one that goes on while the machine is asleep, in milliseconds. */
export type Until = { steady: number; wall: number };

export const after = (milliseconds: number): Until => ({
  steady: performance.now() + milliseconds,
  wall: Date.now() + milliseconds,
});

export const earlier = (one: Until, other: Until): Until => ({
  steady: Math.min(one.steady, other.steady),
  wall: Math.min(one.wall, other.wall),
});

const isOver = ({ steady, wall }: Until) => performance.now() >= steady || Date.now() >= wall;

/** How often those who wait are looked at, whether they have for too long; in milliseconds. */
const glance = 100;

/** What was taken within so long counts as lately, in milliseconds. */
const lately = 250;

/**
 * @param room how many letters are in the air at once
 * @param mostAhead how many may be claimed beyond them at most
 */
export function createAir(room: number, mostAhead: number): Air {
  let free = room;
  const lanes: InnerLane[] = []; // in the order in which they came
  const taken = new Float64Array(mostAhead).fill(Number.NEGATIVE_INFINITY); // when, the oldest at `oldest`
  let oldest = 0;

  function serve(): void {
    while (free > 0) {
      const ready = lanes.filter(({ wantsRoom }) => wantsRoom());
      const next = ready.find(({ isOfFew }) => isOfFew) ?? ready[0];
      if (!next) return;
      if (next.letIn()) free -= 1;
    }
  }
  function giveBack(isTaken: boolean): void {
    free += 1;
    if (isTaken && mostAhead > 0) {
      taken[oldest] = performance.now();
      oldest = (oldest + 1) % mostAhead;
    }
    serve();
  }
  return {
    lane(isOfFew) {
      const inner = createLane(isOfFew);
      lanes.push(inner);
      return {
        enter(until) {
          const entered = inner.wait(until);
          serve();
          return entered;
        },
        leave: giveBack,
        waiting: inner.waiting,
        pause: inner.pause,
        resume(pauses) {
          inner.resume(pauses);
          serve();
        },
        isPaused: inner.isPaused,
        turnBack: inner.turnBack,
        close() {
          inner.turnBack();
          lanes.splice(lanes.indexOf(inner), 1);
        },
      };
    },
    ahead() {
      const since = performance.now() - lately;
      return taken.reduce((sum, at) => sum + (at > since ? 1 : 0), 0);
    },
  };
}

type InnerLane = ReturnType<typeof createLane>;

function createLane(isOfFew: boolean) {
  let queue: { until: Until; answer: (isLetIn: boolean) => void }[] = [];
  let pauses = 0;
  let isTurnedBack = false;
  let timer: NodeJS.Timeout | undefined;

  function turnBack(): void {
    isTurnedBack = true;
    clearTimeout(timer);
    for (const { answer } of queue.splice(0)) answer(false);
  }
  function watch(): void {
    timer = undefined;
    queue = queue.filter(({ until, answer }) => {
      const stays = !isOver(until);
      if (!stays) answer(false);
      return stays;
    });
    if (queue.length > 0) timer = setTimeout(watch, glance);
  }
  return {
    isOfFew,
    wait(until: Until): Promise<boolean> {
      if (isTurnedBack) return Promise.resolve(false);
      return new Promise((answer) => {
        queue.push({ until, answer });
        timer ??= setTimeout(watch, glance);
      });
    },
    /** @returns whether somebody was let in: who has waited for too long is not */
    letIn(): boolean {
      const first = queue.shift();
      const isLetIn = first !== undefined && !isOver(first.until);
      first?.answer(isLetIn);
      if (queue.length === 0) {
        clearTimeout(timer);
        timer = undefined;
      }
      return isLetIn;
    },
    wantsRoom: () => queue.length > 0 && pauses === 0,
    waiting: () => queue.length,
    isPaused: () => pauses > 0,
    pause() {
      pauses += 1;
    },
    resume(over: number) {
      pauses -= over;
    },
    turnBack,
  };
}
