import { cancellable, type LetterState } from '../../letters/letter.ts';
import type { LetterEvent, Receipt, ReceiptLetter } from '../../letters/receipt.ts';
import type { Locale } from '../../locale/locale.ts';
import type { ShownReply } from '../../replies/read-replies.ts';
import { describeReplies } from './reply-status.ts';

/** How a letter stands, for the strip at the top of the receipt. */
type Standing = 'accepted' | 'waiting' | 'unknown' | 'ended' | 'stopped';

const standings: Record<LetterState, Standing> = {
  draft: 'waiting',
  held: 'waiting',
  ready: 'waiting',
  queued: 'waiting',
  sending: 'waiting',
  deferred: 'waiting',
  unknown: 'unknown',
  accepted: 'accepted',
  delivered: 'accepted',
  rejected: 'ended',
  bounced: 'ended',
  abandoned: 'ended',
  // by a person's own will, or their silence: nothing went wrong
  cancelled: 'stopped',
  expired: 'stopped',
};

/** The letters of a receipt in honest words, for its page and for its stream. */
export function describeLetters(receipt: Receipt, replies: ShownReply[], token: string, locale: Locale) {
  const letters = receipt.letters.map((letter) => ({
    ...describeLetter(letter, locale),
    ...describeReplies(
      replies.filter(({ letterId }) => letterId === letter.id),
      letter,
      `/r/${token}`,
      locale,
    ),
  }));
  const count = (wanted: Standing) => letters.filter(({ standing }) => standing === wanted).length;
  return {
    token,
    letters,
    total: letters.length,
    accepted: count('accepted'),
    open: count('waiting'),
    legend: (['accepted', 'waiting', 'unknown', 'ended', 'stopped'] as const)
      .filter((standing) => count(standing) > 0)
      .map((standing) => ({ standing, label: `receipt.legend.${standing}` })),
    cancellable: letters.filter((letter) => letter.cancellable).length,
    few: letters.length <= 3,
    replyCount: replies.filter(({ direction }) => direction === 'from brand').length,
  };
}

function describeLetter(letter: ReceiptLetter, locale: Locale) {
  // a state that mail servers bring about has the name of the event that did it
  const last = letter.events.findLast(({ type }) => type === letter.state);
  return {
    handle: letter.handle,
    messageId: letter.messageId,
    brand: letter.brand,
    slug: letter.brandSlug,
    state: letter.state,
    standing: standings[letter.state],
    sentence: sentence(letter, last, locale),
    at: (letter.state === 'deferred' ? letter.dueAt : last?.at) ?? undefined,
    // a refusal, a return and a request to come back later are worth reading in the server's own words
    answer: isServers(letter.state, last) ? (last?.response ?? '') : '',
    cancellable: cancellable.includes(letter.state),
    events: letter.events.map((event) => ({
      type: event.type,
      at: event.at,
      code: event.code ?? '',
      host: event.host ?? '',
      response: event.response ?? '',
      text: locale.text(`receipt.event.${event.type}`, {
        host: event.host ?? '',
        from: event.host === null ? 'nobody' : 'server',
        said: event.host === null ? 'ours' : event.response === null ? 'no' : 'yes',
      }),
    })),
  };
}

/** Where a letter was put off without a host, no server was asked: the words, if there are any, are ours. */
function isServers(state: LetterState, last: LetterEvent | undefined): boolean {
  return ['rejected', 'bounced'].includes(state) || (state === 'deferred' && Boolean(last?.host));
}

/** The name of a letter's sentence: its state, or what is better known than that. */
function sentenceNameOf({ state, holdup, events }: ReceiptLetter): LetterState | 'duplicate' | 'doubted' {
  if (events.some(({ type }) => type === 'duplicate_found')) return 'duplicate';
  if (
    state === 'unknown' &&
    events.findLast(({ type }) => type === 'doubted' || type === 'sight_lost')?.type === 'doubted'
  )
    return 'doubted';
  return holdup?.kind === 'hold' ? 'ready' : state;
}

function sentence(letter: ReceiptLetter, last: LetterEvent | undefined, locale: Locale): string {
  return locale.text(`receipt.state.${sentenceNameOf(letter)}`, {
    host: last?.host ?? '',
    from: last?.host ? 'server' : 'nobody',
    at: last ? locale.moment(last.at) : '',
    due: letter.dueAt ? locale.moment(letter.dueAt) : '',
    why: letter.holdup?.kind ?? 'turn',
    hours: letter.holdup?.kind === 'hours' ? `${letter.holdup.from}–${letter.holdup.until}` : '',
    zone: letter.holdup?.kind === 'hours' ? letter.holdup.zone.replaceAll('_', ' ') : '',
  });
}
