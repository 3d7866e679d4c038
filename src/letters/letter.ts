/**
 * A letter's whole life. The database guards the same moves (the trigger `letter_moves_as_designed`); a
 * test tries every pair of states.
 */

export const states = [
  'draft',
  'held',
  'ready',
  'queued',
  'sending',
  'deferred',
  'unknown',
  'accepted',
  'delivered',
  'rejected',
  'bounced',
  'abandoned',
  'cancelled',
  'expired',
] as const;
export type LetterState = (typeof states)[number];

/** What each move is called, from where to where it goes, and the event that it leaves behind. */
export const moves = {
  confirm: { from: ['draft'], to: 'ready', event: 'confirmed' },
  hold: { from: ['draft'], to: 'held', event: 'held' },
  review: { from: ['held'], to: 'ready', event: 'reviewed' },
  expire: { from: ['draft'], to: 'expired', event: 'expired' },
  findDuplicate: { from: ['draft'], to: 'cancelled', event: 'duplicate_found' },
  release: { from: ['ready'], to: 'queued', event: 'released' },
  return: { from: ['queued'], to: 'ready', event: 'returned' },
  claim: { from: ['queued'], to: 'sending', event: 'claimed' },
  letGo: { from: ['sending', 'unknown'], to: 'ready', event: 'returned' },
  accept: { from: ['sending', 'unknown'], to: 'accepted', event: 'accepted' },
  reject: { from: ['sending', 'unknown'], to: 'rejected', event: 'rejected' },
  defer: { from: ['sending', 'unknown'], to: 'deferred', event: 'deferred' },
  loseSight: { from: ['sending'], to: 'unknown', event: 'sight_lost' },
  fallDue: { from: ['deferred'], to: 'ready', event: 'fell_due' },
  abandon: { from: ['deferred'], to: 'abandoned', event: 'abandoned' },
  doubt: { from: ['ready', 'deferred'], to: 'unknown', event: 'doubted' },
  resend: { from: ['unknown'], to: 'ready', event: 'resent' },
  cancel: { from: ['draft', 'held', 'ready', 'queued', 'deferred'], to: 'cancelled', event: 'cancelled' },
  deliver: { from: ['accepted'], to: 'delivered', event: 'delivered' },
  bounce: { from: ['accepted', 'delivered'], to: 'bounced', event: 'bounced' },
} as const satisfies Record<string, { from: readonly LetterState[]; to: LetterState; event: string }>;

/** What is told about a letter that stays where it is. */
export const news = [
  'relayed',
  'expanded',
  'delayed',
  'failed_behind',
  'complained',
  'auto_replied',
  'replied',
  'answered',
] as const;

export type Move = keyof typeof moves;
export type News = (typeof news)[number];
export type EventType = 'drafted' | (typeof moves)[Move]['event'] | News;

/** States in which the person may still take the letter back. */
export const cancellable: readonly LetterState[] = moves.cancel.from;

/** States after which nothing of ours happens to the letter any more. */
export const finalStates: readonly LetterState[] = [
  'accepted',
  'delivered',
  'rejected',
  'bounced',
  'abandoned',
  'cancelled',
  'expired',
];

/** A letter's id in the database: a bigint, carried as a string. */
export type LetterId = string;
