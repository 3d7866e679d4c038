import type { ReceiptLetter } from '../../letters/receipt.ts';
import type { Locale } from '../../locale/locale.ts';
import type { ShownReply } from '../../replies/read-replies.ts';
import type { Listed } from '../../replies/reply.ts';

/** Longer texts are folded away; in UTF-16 code units. */
export const short = 700;

/** What came and went about one letter, in honest words. */
export function describeReplies(
  replies: readonly ShownReply[],
  { brand }: ReceiptLetter,
  receipt: string,
  locale: Locale,
) {
  return { replies: replies.map((reply) => describeReply(reply, brand, receipt, locale)) };
}

function describeReply(reply: ShownReply, brand: string, receipt: string, locale: Locale) {
  const { handle, direction, automatic, state, at, content } = reply;
  const fromBrand = direction === 'from brand';
  const kind = fromBrand ? (automatic ? 'automatic' : 'brand') : 'own';
  const { name, address } = content.from;
  return {
    handle,
    kind,
    state,
    at,
    title: locale.text(`receipt.reply.${kind}`, { brand }),
    // a machine's mail is shown and goes nowhere
    stands: automatic ? '' : locale.text(fromBrand ? `receipt.forward.${state}` : `receipt.own.${state}`),
    sender: fromBrand ? (name && name !== address ? `${name} <${address}>` : address) : '',
    subject: content.subject,
    text: content.text,
    long: content.text.length > short,
    cut: content.cut,
    attachments: content.attachments.map((one) => describeAttachment(one, locale)),
    ...nextStep(reply, receipt, locale),
  };
}

/** Where the advocate goes from here, if there is anywhere to go. */
function nextStep({ handle, direction, answerable, state }: ShownReply, receipt: string, locale: Locale) {
  if (answerable)
    return { path: `${receipt}/replies/${handle}/answer`, action: locale.text('receipt.reply.answer') };
  const path = `${receipt}/answers/${handle}`;
  if (state === 'draft') return { path, action: locale.text('receipt.reply.look') };
  if (state === 'unknown' && direction === 'from advocate')
    return { path, action: locale.text('receipt.reply.again') };
  return { path: '', action: '' };
}

function describeAttachment({ name, size, passed }: Listed, locale: Locale) {
  return {
    name,
    size: locale.size(size),
    passed: locale.text(`receipt.attachment.${passed ? 'passed' : 'held'}`),
  };
}
