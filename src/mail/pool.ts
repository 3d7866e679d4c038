import type { Candidate } from './choice.ts';
import { afterFailure, mayConnect, well } from './health.ts';
import { type Line, openLine, type Refused } from './line.ts';
import { isOurOwn } from './outcome.ts';
import type { Relay } from './relay.ts';
import type { Conducted, Next, Sending } from './transaction.ts';

/** The connections to one relay, each of which carries one message at a time. */
export type Pool = {
  /**
   * Sends a message on a connection that is its own for that time, and those that follow it.
   *
   * @param connect whether a new one may be made for it; if not, it waits for one that others have
   * @returns the relay's answer when it lets nobody in; 'away' while it is left alone
   */
  converse(
    connect: boolean,
    first: Sending,
    next: Next,
    tell: (sending: Sending, sent: Sent) => void,
  ): Promise<Refused | 'away' | 'over'>;
  /** Whether a message can go through it, now or later. */
  state(connect: boolean): Candidate['state'];
  /**
   * However long ago it was last tried: it let nobody in, and no connection stands; or it let us in, and was of no use.
   */
  isShutOut(): boolean;
  /** Whether one could go at once. */
  room(connect: boolean): boolean;
  /** How many connections there may be from now on. */
  limit(most: number): void;
  close(): void;
};

/** `kept`: the connection had carried others before. */
export type Sent = Conducted & { kept: boolean };

type Options = {
  most: number;
  /** How long an unused connection is kept, in milliseconds. */
  idle: number;
  /**
   * Is told of a relay that lets nobody in, says no more or refuses everybody, and for how long it is left alone; and of
   * one that is well again.
   */
  onTrouble(refused: Refused, milliseconds: number): void;
  onBack(): void;
};

/**
 * Who refuses messages to so many receiving domains, and takes none between them, refuses us. A refusal is final, so
 * the other letters had better wait than be refused one by one.
 */
const refusesEverybody = 3;

export function createPool(relay: Relay, { most, idle, onTrouble, onBack }: Options): Pool {
  const free: Line[] = [];
  const waiting: Array<(line?: Line) => void> = [];
  let limit = most;
  let open = 0; // those that are being opened included
  let opening = 0;
  let health = well;
  let heardAt = 0; // it said something about a message
  const refusedTo = new Set<string>(); // domains whose messages it refused since it took one
  /** It lets us in, and is of no use. */
  let useless: { since: number; because: 'silence' | 'refusals' } | undefined;
  let closed = false;

  const letsIn = () => health === well || mayConnect(health, performance.now(), opening);
  const mayOpen = (connect: boolean) => connect && open < limit && letsIn();
  /** It was of no use, and it is not time to see with one message whether it still is. */
  const rests = () => useless !== undefined && (open > free.length || performance.now() < health.until);
  const state = (connect: boolean) => {
    if (closed || rests()) return 'away';
    if (open > opening || (connect && letsIn())) return 'well';
    return opening > 0 ? 'opening' : 'away';
  };

  const converse: Pool['converse'] = async (connect, first, next, tell) => {
    const line = await take(connect);
    if (!line) return 'away';
    if ('outcome' in line) return line;
    let takenAt = performance.now();
    // nobody follows while others wait for the connection, or while it is one too many
    const behind = () => (waiting.length === 0 && open <= limit ? next() : undefined);
    try {
      await line.converse(first, behind, (sending, { outcome, broke }) => {
        const { kept } = line;
        learn({ outcome, broke }, sending.envelope.to, takenAt);
        takenAt = heardAt;
        line.kept = true;
        tell(sending, { outcome, broke, kept });
      });
      return 'over';
    } catch (error) {
      line.drop(); // in the midst of something
      throw error;
    } finally {
      giveBack(line);
    }
  };

  async function take(connect: boolean): Promise<Line | Refused | undefined> {
    for (;;) {
      if (rests()) return undefined;
      const line = free.pop();
      if (line) {
        line.wake();
        return line;
      }
      if (mayOpen(connect)) return openOne();
      if (state(connect) === 'away') return undefined;
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
    if ('converse' in opened) {
      if (!useless) recover();
      return opened;
    }
    // of many attempts that began together, the first that fails speaks for all
    if (health === before) leaveAlone(opened);
    open -= 1;
    wakeAll();
    return opened;
  }

  function leaveAlone(refused: Refused): void {
    const now = performance.now();
    health = afterFailure(health, now, Math.random());
    onTrouble(refused, Math.round(health.until - now));
  }

  function recover(): void {
    if (health === well) return;
    health = well;
    useless = undefined;
    onBack();
    wakeAll();
  }

  /**
   * What is learnt of a relay that let us in. One that was silent is well as soon as it answers anybody, whatever it
   * says; one that refused everybody, when it takes a message.
   */
  function learn({ outcome, broke }: Conducted, to: string, takenAt: number): void {
    if (broke === 'silence') {
      if (takenAt >= heardAt) giveUp('silence', { outcome, reason: 'ETIMEDOUT' }, takenAt);
    } else if (broke === undefined && !isOurOwn(outcome)) {
      heardAt = performance.now();
      const isTaken = outcome.kind === 'accepted';
      if (isTaken) refusedTo.clear();
      else if (outcome.kind === 'refused') refusedTo.add(to.slice(to.lastIndexOf('@') + 1).toLowerCase());
      if (refusedTo.size >= refusesEverybody) giveUp('refusals', { outcome, reason: 'refuses all' }, takenAt);
      else if (useless && (isTaken || useless.because === 'silence')) recover();
    }
  }

  /** Messages that were under way already say nothing new of a relay that was given up meanwhile. */
  function giveUp(because: 'silence' | 'refusals', refused: Refused, takenAt: number): void {
    if (useless && takenAt <= useless.since) return;
    leaveAlone(refused);
    useless = { since: performance.now(), because };
    wakeAll();
  }

  function giveBack(line: Line): void {
    if (!line.alive() || open > limit) {
      end(line);
      return;
    }
    const next = waiting.shift();
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
    converse,
    state,
    isShutOut: () => useless !== undefined || (health !== well && state(false) !== 'well'),
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
