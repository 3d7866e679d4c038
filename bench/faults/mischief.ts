import { numberOf } from './random.ts';

/** Where a conversation stands. `body`: in the middle of the message; `dot`: the message is there, nothing is said yet. */
export type Moment = 'connect' | 'ehlo' | 'mail' | 'rcpt' | 'data' | 'body' | 'dot' | 'kept';

/** What the relay does instead of its ordinary answer; `kept`: it keeps the message, and then says nothing. */
export type Mischief = { reply: string; hangUp?: true } | { cut: 'FIN' | 'RST' };

type Chance = [share: number, what: Mischief];

const fin: Mischief = { cut: 'FIN' };
const rst: Mischief = { cut: 'RST' };
const closing: Mischief = { reply: '421 4.3.2 closing for a moment', hangUp: true };
const later: Mischief = { reply: '451 4.3.0 try again later' };
const never: Mischief = { reply: '550 5.7.1 not wanted here' };

const chances: Record<Moment, Chance[]> = {
  connect: [
    [0.02, fin],
    [0.02, rst],
    [0.02, closing],
  ],
  ehlo: [
    [0.01, fin],
    [0.01, rst],
    [0.01, closing],
  ],
  mail: [
    [0.003, fin],
    [0.003, rst],
    [0.002, closing],
    [0.006, later],
    [0.004, never],
  ],
  rcpt: [
    [0.003, fin],
    [0.003, rst],
    [0.002, closing],
    [0.006, later],
    [0.004, never],
  ],
  data: [
    [0.003, fin],
    [0.003, rst],
    [0.002, closing],
    [0.004, later],
    [0.002, never],
  ],
  body: [
    [0.003, fin],
    [0.003, rst],
  ],
  dot: [
    [0.003, fin],
    [0.003, rst],
    [0.002, closing],
    [0.006, later],
    [0.004, never],
  ],
  kept: [
    [0.004, fin],
    [0.004, rst],
  ],
};

/**
 * What goes wrong at this moment of a conversation, if anything does.
 *
 * @param about the letter and its attempt, or the number of the connection
 */
export function mischiefAt(seed: number, moment: Moment, about: string): Mischief | undefined {
  let number = numberOf(seed, `${moment} ${about}`);
  for (const [share, what] of chances[moment]) {
    if (number < share) return what;
    number -= share;
  }
  return undefined;
}

/** How long the answer to the final dot takes, in milliseconds: 5 to 45. */
export function delayAt(seed: number, about: string): number {
  return 5 + Math.floor(numberOf(seed, `delay ${about}`) * 41);
}

/** What a kind of mischief is called in the report. */
export function nameOf(moment: Moment, what: Mischief): string {
  return `${'cut' in what ? `cut (${what.cut})` : what.reply.slice(0, 3)} ${places[moment]}`;
}

const places: Record<Moment, string> = {
  connect: 'as the greeting',
  ehlo: 'at EHLO',
  mail: 'at MAIL',
  rcpt: 'at RCPT',
  data: 'at DATA',
  body: 'in mid-message',
  dot: 'after the final dot, message not kept',
  kept: 'after the final dot, message kept',
};
