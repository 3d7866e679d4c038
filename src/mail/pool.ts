import type { Candidate } from './choice.ts';
import { afterFailure, mayConnect, well } from './health.ts';
import { type Line, openLine, type Refused } from './line.ts';
import type { Relay } from './relay.ts';

/** The connections to one relay, each of which carries one message at a time. */
export type Pool = {
  /**
   * A connection that is the taker's until it is given back; the relay's answer when it lets nobody in, or
   * undefined while it is left alone for that.
   *
   * @param connect whether a new one may be made for it; if not, it waits for one that others have
   */
  take(connect: boolean): Promise<Line | Refused | undefined>;
  giveBack(line: Line): void;
  /** Whether a message can go through it, now or later. */
  state(connect: boolean): Candidate['state'];
  /** Whether one could go at once. */
  room(connect: boolean): boolean;
  /** How many connections there may be from now on. */
  limit(most: number): void;
  close(): void;
};

type Options = {
  most: number;
  /** How long an unused connection is kept, in milliseconds. */
  idle: number;
  /** Is told of a relay that lets nobody in, and for how long it is left alone; and of one that does again. */
  onTrouble(refused: Refused, milliseconds: number): void;
  onBack(): void;
};

export function createPool(relay: Relay, { most, idle, onTrouble, onBack }: Options): Pool {
  const free: Line[] = [];
  const waiting: Array<(line?: Line) => void> = [];
  let limit = most;
  let open = 0; // those that are being opened included
  let opening = 0;
  let health = well;
  let closed = false;

  const letsIn = () => health === well || mayConnect(health, performance.now(), opening);
  const mayOpen = (connect: boolean) => connect && open < limit && letsIn();
  const state = (connect: boolean) => {
    if (open > opening || (connect && letsIn())) return 'well';
    return opening > 0 ? 'opening' : 'away';
  };

  async function take(connect: boolean): Promise<Line | Refused | undefined> {
    for (;;) {
      const line = free.pop();
      if (line) {
        line.wake();
        return line;
      }
      if (mayOpen(connect)) return openOne();
      if (closed || state(connect) === 'away') return undefined;
      const given = await new Promise<Line | undefined>((resolve) => waiting.push(resolve));
      if (given) return given;
    }
  }

  async function openOne(): Promise<Line | Refused> {
    const before = health;
    open += 1;
    opening += 1;
    const opened = await openLine(relay);
    opening -= 1;
    if ('send' in opened) {
      if (health !== well) {
        health = well;
        onBack();
        wakeAll();
      }
      return opened;
    }
    // of many attempts that began together, the first that fails speaks for all
    if (health === before) {
      const now = performance.now();
      health = afterFailure(health, now, Math.random());
      onTrouble(opened, Math.round(health.until - now));
    }
    open -= 1;
    wakeAll();
    return opened;
  }

  function giveBack(line: Line): void {
    if (!line.alive() || closed || open > limit) {
      end(line);
      return;
    }
    const next = waiting.shift();
    line.kept = true;
    if (next) next(line);
    else {
      line.rest(idle, () => {
        free.splice(free.indexOf(line), 1);
        end(line);
      });
      free.push(line);
    }
  }

  function end(line: Line): void {
    open -= 1;
    line.end();
    wakeAll();
  }

  /** Something changed: those who wait look again. */
  function wakeAll(): void {
    for (const look of waiting.splice(0)) look();
  }

  function shed(): void {
    for (const line of free.splice(0, Math.max(0, open - limit))) {
      line.wake();
      end(line);
    }
  }

  return {
    take,
    giveBack,
    state,
    room: (connect) => free.length > 0 || mayOpen(connect),
    limit(next) {
      limit = next;
      shed();
      wakeAll();
    },
    close() {
      closed = true;
      limit = 0;
      shed();
      wakeAll();
    },
  };
}
