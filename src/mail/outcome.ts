/**
 * What became of one message, judged from what was seen on the wire. This is the one place that knows what
 * SMTP replies and broken connections mean; it is pure, and the first row that matches decides.
 */

export type OutcomeKind = 'accepted' | 'refused' | 'try again' | 'unknown';

/** How far the conversation had come when the answer, or the failure, was seen. */
export type Stage = 'connect' | 'login' | 'mail' | 'rcpt' | 'data' | 'message';

export type Facts = {
  stage: Stage;
  /** SMTP reply code (RFC 5321 section 4.2), if a reply was read in full. */
  reply?: number;
  /** Every byte of the message, the final dot included, had left for the server. */
  handedOver: boolean;
  /** We ourselves found the message unsendable (an impossible address, over the server's SIZE). */
  unsendable?: boolean;
};

export type Outcome = {
  kind: OutcomeKind;
  /** SMTP reply code. */
  code?: number;
  /** The server's words, one line, at most 500 characters. */
  response?: string;
  /** The name that the server gave itself, or the one that we called. */
  host?: string;
  /** Of an attempt that failed: how far it had come, which tells the relay's trouble from the receiver's. */
  stage?: Stage;
};

/** A refusal that no server spoke: we found the message unsendable, which says nothing about anybody else. */
export const isOurOwn = ({ kind, code }: Outcome) => kind === 'refused' && code === undefined;

type Row = { when: string; holds: (facts: Facts) => boolean; outcome: OutcomeKind };

const between = (low: number, high: number) => (facts: Facts) =>
  facts.reply !== undefined && facts.reply >= low && facts.reply <= high;

/** Replies that refuse our session or our credentials, and say nothing about the letter (RFC 4954, 3207). */
const aboutTheSession = new Set([503, 530, 534, 535, 538]);

export const outcomeTable: readonly Row[] = [
  {
    when: 'any 2yz after the message: the server has taken responsibility (RFC 5321 section 6.1)',
    holds: (facts) => facts.stage === 'message' && between(200, 299)(facts),
    outcome: 'accepted',
  },
  {
    when: 'no session came about: whatever was said concerns us, not the letter',
    holds: (facts) => facts.stage === 'connect' || facts.stage === 'login',
    outcome: 'try again',
  },
  {
    when: '4yz: transient (RFC 5321 section 4.2.1), 421 included',
    holds: between(400, 499),
    outcome: 'try again',
  },
  {
    when: '5yz that refuses the session or the credentials',
    holds: (facts) => facts.reply !== undefined && aboutTheSession.has(facts.reply),
    outcome: 'try again',
  },
  {
    when: '5yz: permanent (RFC 5321 section 4.2.1); the same letter is never tried again',
    holds: between(500, 599),
    outcome: 'refused',
  },
  {
    when: 'no server could ever take it',
    holds: (facts) => facts.unsendable === true,
    outcome: 'refused',
  },
  {
    when: 'the message was handed over in full, and no answer that we understand came back',
    holds: (facts) => facts.handedOver,
    outcome: 'unknown',
  },
  {
    when: 'the connection failed before the server can have had the whole message',
    holds: () => true,
    outcome: 'try again',
  },
];

/** Judges one attempt by the table above. */
export function judge(facts: Facts): OutcomeKind {
  const row = outcomeTable.find(({ holds }) => holds(facts));
  if (!row) throw new Error('the last row of the outcome table matches everything');
  return row.outcome;
}

/**
 * An outcome with what the server said, on one line of at most 500 characters, and without what cannot be shown: a NUL could
 * not even be stored, and with it nothing that became of the letters which are recorded together.
 */
export function describe(kind: Outcome['kind'], host: string, response: string | undefined): Outcome {
  const words = response
    ?.replace(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim()
    .slice(0, 500)
    .toWellFormed();
  const code = words ? Number.parseInt(words, 10) : Number.NaN;
  return {
    kind,
    host,
    ...(words ? { response: words } : {}),
    ...(code >= 100 && code <= 599 ? { code } : {}),
  };
}
