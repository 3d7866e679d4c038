import type { Mailer } from '../src/mail/mailer.ts';
import type { Outcome } from '../src/mail/outcome.ts';

/** Whether mail servers answer: what a worker has in the air, and for how long it has heard nothing. */
export type Pulse = {
  /** The same mailer; what it sends is counted until it is answered. */
  of(mailer: Mailer): Mailer;
  inTheAir(): number;
  /** For how long something is in the air and nothing was answered, in milliseconds. */
  quietFor(): number;
};

export function createPulse(): Pulse {
  let inTheAir = 0;
  let heardAt = performance.now();
  const hear = () => {
    heardAt = performance.now();
  };
  async function watch(answer: Promise<Outcome>): Promise<Outcome> {
    if (inTheAir === 0) hear(); // before, there was nothing to hear
    inTheAir += 1;
    try {
      const outcome = await answer;
      if (outcome.host !== undefined) hear(); // else no server was asked: the guard stopped it, say
      return outcome;
    } finally {
      inTheAir -= 1;
    }
  }
  return {
    of: (mailer) => ({ ...mailer, send: (envelope, bytes) => watch(mailer.send(envelope, bytes)) }),
    inTheAir: () => inTheAir,
    quietFor: () => (inTheAir > 0 ? performance.now() - heardAt : 0),
  };
}

/** Whether statements are answered: how long some have been under way, and none was done. */
export type Stride = {
  /** The same function, whose calls are counted until they are done. */
  of<Args extends unknown[], Result>(
    work: (...args: Args) => Promise<Result>,
  ): (...args: Args) => Promise<Result>;
  /** In milliseconds. */
  stuckFor(): number;
};

export function createStride(): Stride {
  let underWay = 0;
  let since = 0;
  return {
    of:
      (work) =>
      async (...args) => {
        if (underWay === 0) since = performance.now();
        underWay += 1;
        try {
          return await work(...args);
        } finally {
          underWay -= 1;
          since = performance.now();
        }
      },
    stuckFor: () => (underWay > 0 ? performance.now() - since : 0),
  };
}
