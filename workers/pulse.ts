import type { Mailer } from '../src/mail/mailer.ts';
import type { Outcome } from '../src/mail/outcome.ts';
import type { Sending } from '../src/mail/transaction.ts';

/** Whether others answer: what is with them, and for how long nothing was heard. */
export type Pulse = {
  /**
   * The same function, whose calls are counted until they are done.
   *
   * @param isAnswer whether a result says that somebody answered; what is thrown never does
   */
  of<Args extends unknown[], Result>(
    work: (...args: Args) => Promise<Result>,
    isAnswer?: (result: Result) => boolean,
  ): (...args: Args) => Promise<Result>;
  /** Somebody answered, in the midst of a call. */
  hear(): void;
  /** How many calls are under way. */
  underWay(): number;
  /** For how long calls have been under way and none was answered, in milliseconds. */
  quietFor(): number;
};

export function createPulse(): Pulse {
  let underWay = 0;
  let heardAt = 0;
  const hear = () => {
    heardAt = performance.now();
  };
  return {
    of:
      (work, isAnswer = () => true) =>
      async (...args) => {
        if (underWay === 0) hear(); // before, there was nothing to hear
        underWay += 1;
        try {
          const result = await work(...args);
          if (isAnswer(result)) hear();
          return result;
        } finally {
          underWay -= 1;
        }
      },
    hear,
    underWay: () => underWay,
    quietFor: () => (underWay > 0 ? performance.now() - heardAt : 0),
  };
}

/** The same mailer, whose pulse is taken: an outcome without a host is our own, such as that of the guard. */
export function watchMailer(mailer: Mailer, pulse: Pulse): Mailer {
  const isAnswer = ({ host }: Outcome) => host !== undefined;
  const watched = (sending: Sending): Sending => ({
    ...sending,
    came(outcome) {
      if (isAnswer(outcome)) pulse.hear();
      sending.came(outcome);
    },
  });
  const converse = pulse.of(mailer.converse, () => false);
  return {
    ...mailer,
    send: pulse.of(mailer.send, isAnswer),
    converse(first, next) {
      const following = () => {
        const sending = next();
        return sending && watched(sending);
      };
      return converse(watched(first), following);
    },
  };
}
