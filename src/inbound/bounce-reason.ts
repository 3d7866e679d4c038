/** What is meant by words without a number, in the order in which they count: what may pass goes first. */
const phrases: readonly { words: RegExp; status: string; seenFrom: string }[] = [
  { words: /in the queue too long/i, status: '4.4.7', seenFrom: 'qmail-send.c' },
  {
    words: /retry time(?:out)? (?:exceeded|not reached)|failing for a long time/i,
    status: '4.4.7',
    seenFrom: 'Exim',
  },
  { words: /connection (?:refused|timed out)|deferred/i, status: '4.4.1', seenFrom: 'sendmail, Exim' },
  { words: /did not accept our requests to connect/i, status: '4.4.1', seenFrom: 'Gmail' },
  { words: /\bquota\b|mailbox (?:is )?full/i, status: '4.2.2', seenFrom: 'many' },
  { words: /user unknown|unknown user|no such user/i, status: '5.1.1', seenFrom: 'sendmail, Exim' },
  { words: /no mailbox here by that name/i, status: '5.1.1', seenFrom: 'qmail-local.c' },
  { words: /recipient name is not recognized/i, status: '5.1.1', seenFrom: 'Exchange 5.5' },
  { words: /not listed in (?:the )?(?:domino directory|public name)/i, status: '5.1.1', seenFrom: 'Domino' },
  { words: /unrouteable address/i, status: '5.1.0', seenFrom: 'Exim' },
];

/**
 * Finds how grave a reason is: by its numbers (RFC 3463, RFC 5321), and by known words where it has none. Anything
 * that may pass makes the whole pass.
 */
export function readReason(reason: string): { status: string; code?: number } | undefined {
  const statuses = [...reason.matchAll(/(?<![\d.])([45]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)/g)].map(
    ([, status = '']) => status,
  );
  const codes = [...reason.matchAll(/(?:^[ \t]*|[:>'(] ?|said:? |<<< )([45]\d\d)[ -](?=\s*\S)/gm)].map(
    ([, code]) => Number(code),
  );
  const passing =
    statuses.find((status) => status.startsWith('4')) ??
    (codes.some((code) => code < 500) ? '4.0.0' : undefined);
  const staying = statuses[0] ?? (codes.length > 0 ? '5.0.0' : undefined);
  const status = passing ?? staying ?? phrases.find(({ words }) => words.test(reason))?.status;
  return status === undefined
    ? undefined
    : { status, code: codes.find((code) => status.startsWith(String(code)[0] ?? '')) };
}
