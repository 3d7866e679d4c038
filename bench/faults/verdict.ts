/** A letter as the database has it at the end. */
export type Row = {
  messageId: string;
  state: string;
  /** It was unknown at some time. */
  wasUnknown: boolean;
};

export type Verdict = {
  /** Letters that went missing, or of which something is said that is not so. */
  lost: { messageId: string; why: string }[];
  /** Messages that the relay accepted more than once. */
  duplicates: string[];
  unknown: { seen: number; resolved: number; left: string[] };
};

/** States that say: the relay has it. */
const sent = ['accepted', 'delivered', 'bounced'];
/** States that say: it was not sent, and will not be. */
const unsent = ['rejected', 'abandoned', 'cancelled', 'expired'];

/**
 * Holds what the database says against what the relay wrote down.
 *
 * @param promised Message-IDs of all letters that somebody was told are received
 * @param rows every letter in the database
 * @param journal how often the relay accepted each message
 */
export function judgeRun(
  promised: ReadonlySet<string>,
  rows: readonly Row[],
  journal: ReadonlyMap<string, number>,
): Verdict {
  const known = new Set(rows.map(({ messageId }) => messageId));
  const lost: Verdict['lost'] = [];
  for (const messageId of promised) {
    if (!known.has(messageId)) lost.push({ messageId, why: 'promised, but not in the database' });
  }
  for (const messageId of journal.keys()) {
    if (!known.has(messageId)) lost.push({ messageId, why: 'sent, but not in the database' });
  }
  for (const { messageId, state } of rows) {
    const why = untruth(state, (journal.get(messageId) ?? 0) > 0);
    if (why) lost.push({ messageId, why });
  }
  const seen = rows.filter(({ wasUnknown, state }) => wasUnknown || state === 'unknown');
  const left = seen.filter(({ state }) => state === 'unknown').map(({ messageId }) => messageId);
  return {
    lost,
    duplicates: [...journal].filter(([, times]) => times > 1).map(([messageId]) => messageId),
    unknown: { seen: seen.length, resolved: seen.length - left.length, left },
  };
}

function untruth(state: string, wasSent: boolean): string | undefined {
  if (state === 'unknown') return undefined;
  if (sent.includes(state)) return wasSent ? undefined : `${state}, but the relay does not have it`;
  if (unsent.includes(state)) return wasSent ? `${state}, but the relay has it` : undefined;
  return `still ${state}`;
}
