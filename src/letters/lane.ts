import type { Sending } from '../mail/transaction.ts';

export type Outgoing = Sending & {
  /** Is told of a surprise, perhaps after it was told what became of it. */
  failed(error: unknown): void;
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

/** A letter that waits for room. */
export type Waiting = {
  letter: Outgoing;
  until: Until;
  done(): void;
  /** Behind whom it is announced. */
  behind?: symbol | undefined;
  /** It was seen to be announced before. */
  isSeen?: boolean;
};

export type InnerLane = ReturnType<typeof createLane>;

/**
 * Those that wait for room, in their order.
 *
 * @param onSlow is told when some that were announced had to wait for too long, and wait as the others now
 */
export function createLane(isOfFew: boolean, onSlow: () => void) {
  let queue: Waiting[] = [];
  let pauses = 0;
  let isTurnedBack = false;
  let timer: NodeJS.Timeout | undefined;

  function turnBack(): void {
    isTurnedBack = true;
    clearTimeout(timer);
    for (const { done } of queue.splice(0)) done();
  }
  function watch(): void {
    timer = undefined;
    queue = queue.filter((one) => {
      const stays = !isOver(one.until);
      if (!stays) one.done();
      return stays;
    });
    const announced = queue.filter(({ behind }) => behind !== undefined);
    // not at once: this process may have stood still, and not heard yet what was said meanwhile
    const slow = announced.filter(({ isSeen }) => isSeen);
    for (const one of announced) one.isSeen = true;
    for (const one of slow) one.behind = undefined;
    if (queue.length > 0) timer = setTimeout(watch, glance);
    if (slow.length > 0) onSlow();
  }
  const unannounced = () => queue.findIndex(({ behind }) => behind === undefined);
  function remove(index: number): void {
    queue.splice(index, 1);
    if (queue.length > 0) return;
    clearTimeout(timer);
    timer = undefined;
  }
  return {
    isOfFew,
    wait(letter: Outgoing, until: Until): Promise<void> {
      if (isTurnedBack) return Promise.resolve();
      return new Promise((done) => {
        queue.push({ letter, until, done });
        timer ??= setTimeout(watch, glance);
      });
    },
    /** @returns who was let in: who has waited for too long is not */
    letIn(): Waiting | undefined {
      const index = unannounced();
      const first = queue[index];
      if (!first) return undefined;
      remove(index);
      if (!isOver(first.until)) return first;
      first.done();
      return undefined;
    },
    /** @returns who follows that one, if nothing comes between */
    announce(behind: symbol): Waiting | undefined {
      const first = queue[unannounced()];
      if (!first || isOver(first.until)) return undefined;
      first.behind = behind;
      first.isSeen = false;
      return first;
    },
    /** @returns false: it is not announced behind that one any more */
    letFollow(one: Waiting, behind: symbol): boolean {
      if (one.behind !== behind) return false;
      const index = queue.indexOf(one);
      if (index < 0 || isOver(one.until)) return false;
      remove(index);
      return true;
    },
    wantsRoom: () => pauses === 0 && unannounced() >= 0,
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
