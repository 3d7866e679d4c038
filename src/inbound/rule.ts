import type { Mail } from './read-mail.ts';
import type { Verdict } from './verdict.ts';

/** What beside the mail itself tells what it is. */
export type Facts = {
  /** It came with MAIL FROM:<>, as only machines send it (RFC 5321 section 4.5.5). */
  nullSender: boolean;
};

/** One row of the table by which mail that came back is told apart. */
export type Rule = {
  name: string;
  /** Where it is written, or who was seen doing so. */
  source: string;
  /** Undefined: this rule knows nothing of such a mail. */
  judge: (mail: Mail, facts: Facts) => Verdict | undefined;
};
