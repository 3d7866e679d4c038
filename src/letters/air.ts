import type { Mailer } from '../mail/mailer.ts';
import type { Sending } from '../mail/transaction.ts';
import { createLane, type InnerLane, type Outgoing, type Until, type Waiting } from './lane.ts';

/**
 * The letters of a worker that are with a mail server, or on the way there: so many at a time, each from one of the
 * lanes in which claimed letters wait. Lanes are served one after the other, so that the letters of a bundle are answered, and
 * recorded, together; but those of few letters go first: a person's must not wait for a launch.
 *
 * Who has room can be followed by the next of its lane, on the same connection: that one is announced to the mail server
 * as the other leaves, and has the room once the other was taken. Until then it waits as all do, and goes elsewhere if
 * that takes too long.
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
   * Sends a letter as soon as there is room.
   *
   * @param until there is no room for it any more after that
   * @returns once the letter was told what became of it, or once it is sure that it does not leave
   */
  send(letter: Outgoing, until: Until): Promise<void>;
  /** How many wait for room. */
  waiting(): number;
  /** Lets nobody in until all that were given pauses are over: whatever a mail server said may concern all of them. */
  pause(): void;
  resume(pauses: number): void;
  isPaused(): boolean;
  /** Lets nobody in any more. */
  turnBack(): void;
  close(): void;
};

/** What was taken within so long counts as lately, in milliseconds. */
const lately = 250;

/**
 * After somebody who was announced did not follow, or had to wait for too long, nobody is announced for so long, in
 * milliseconds: each costs a connection then, on which a message is waited for that does not come.
 */
const wary = 60_000;

/**
 * @param room how many letters are in the air at once
 * @param mostAhead how many may be claimed beyond them at most
 */
export function createAir({ converse }: Pick<Mailer, 'converse'>, room: number, mostAhead: number): Air {
  let free = room;
  const lanes: InnerLane[] = []; // in the order in which they came
  const taken = new Float64Array(mostAhead).fill(Number.NEGATIVE_INFINITY); // when, the oldest at `oldest`
  let oldest = 0;
  let mayAnnounce = Number.NEGATIVE_INFINITY; // from when on
  const beWary = () => {
    mayAnnounce = performance.now() + wary;
    serve();
  };

  function whoseTurn(): InnerLane | undefined {
    let first: InnerLane | undefined;
    for (const lane of lanes) {
      if (!lane.wantsRoom()) continue;
      if (lane.isOfFew) return lane;
      first ??= lane;
    }
    return first;
  }
  function serve(): void {
    while (free > 0) {
      const lane = whoseTurn();
      if (!lane) return;
      const letter = lane.letIn();
      if (letter) void occupy(lane, letter);
    }
  }
  async function occupy(lane: InnerLane, first: Waiting): Promise<void> {
    free -= 1;
    const us = Symbol();
    let last = first; // who had the room last, or has it
    let announced: Waiting | undefined;
    const follows = (one: Waiting) => {
      if (lane.isPaused() || !lane.letFollow(one, us)) return false;
      last = one;
      return true;
    };
    const inside = (one: Waiting): Sending => ({
      envelope: one.letter.envelope,
      message: one.letter.message,
      leaves: () => (one === last || follows(one)) && one.letter.leaves(),
      came(outcome) {
        if (outcome.kind === 'accepted') countTaken();
        one.letter.came(outcome);
        one.done();
      },
    });
    const next = () => {
      const isTheirs = performance.now() >= mayAnnounce && whoseTurn() === lane;
      announced = isTheirs ? lane.announce(us) : undefined;
      return announced && inside(announced);
    };
    try {
      await converse(inside(first), next);
    } catch (error) {
      last.letter.failed(error);
    } finally {
      last.done();
      free += 1;
      if (announced?.behind === us) {
        announced.behind = undefined;
        beWary(); // something came between, which may come again
      } else serve();
    }
  }
  function countTaken(): void {
    if (mostAhead === 0) return;
    taken[oldest] = performance.now();
    oldest = (oldest + 1) % mostAhead;
  }
  return {
    lane(isOfFew) {
      const inner = createLane(isOfFew, beWary);
      lanes.push(inner);
      return {
        send(letter, until) {
          const sent = inner.wait(letter, until);
          serve();
          return sent;
        },
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
