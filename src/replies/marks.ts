/** On everything that is passed on: who sees it passes it on no more, whichever Outspoken put it there. */
export const hopMark = 'X-Outspoken-Hop';

/**
 * What keeps mail that we pass on from being answered by machines, or from going round: RFC 3834 section 5 (with
 * `Auto-Submitted`, which the message itself has), MS-OXCMAIL section 2.1.3.2.20, and the marks of programs that
 * forward mail. Not `All`: that would keep Exchange from saying that it could not deliver.
 */
export function hopMarks(domain: string): Record<string, string> {
  return { [hopMark]: '1', 'X-Loop': domain, 'X-Auto-Response-Suppress': 'RN, NRN, OOF, AutoReply' };
}
