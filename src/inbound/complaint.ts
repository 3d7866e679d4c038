import { field } from './fields.ts';
import type { Mail } from './read-mail.ts';
import type { Verdict } from './verdict.ts';

/** Types of feedback that complain of the message (RFC 5965 section 7.3); others want a person. */
const complaining = ['abuse', 'fraud', 'virus'];

/** Reads a complaint (ARF, RFC 5965). Mail services often hide who complained, never whose message it was. */
export function readComplaint({ feedback, returned }: Mail): Verdict {
  const type = feedback && field(feedback, 'feedback-type')?.toLowerCase();
  if (!feedback || !type || !complaining.includes(type))
    return { kind: 'unclear', reason: 'unknown feedback' };
  const about = field(feedback, 'original-mail-from') ?? (returned && field(returned, 'return-path'));
  return { kind: 'complaint', rule: 'feedback report', about: about?.replace(/^<|>$/g, '').trim() };
}
