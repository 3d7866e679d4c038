import type { Wordings } from '../campaigns/wordings.ts';
import { type Database, statement } from '../db/database.ts';
import { persist } from '../db/persist.ts';
import { replyReturnPath } from '../letters/alias.ts';
import { appendNews } from '../letters/move.ts';
import { patience, waitAfter } from '../letters/retry.ts';
import type { Locales } from '../locale/locale.ts';
import type { Logger } from '../log.ts';
import type { Mailer } from '../mail/mailer.ts';
import { encodeMessage } from '../mail/message.ts';
import type { Outcome } from '../mail/outcome.ts';
import { stoppedByGuard } from '../mail/recipients.ts';
import { mostUnclear } from '../notices/notice-queue.ts';
import type { Vault } from '../people/vault.ts';
import { composeAnswer } from './compose-answer.ts';
import { findAnswer } from './draft-store.ts';
import { writeForward } from './forward.ts';
import type { Direction, ReplyState } from './reply.ts';
import { mayGo } from './reply-queue.ts';

export type ReplySending = {
  database: Database;
  vault: Vault;
  wordings: Wordings;
  locales: Locales;
  mailer: Mailer;
  log: Logger;
  mailDomain: string;
  /** Where links lead, without a trailing slash. */
  publicUrl: string;
};

type Claimed = {
  id: string;
  handle: string;
  letter_id: string;
  direction: Direction;
  tries: number;
  unclear: number;
  tried_for: number;
};

// The state is compared as text: see sendNotice.
const claim = statement<Claimed>(`
  update reply set state = 'sending', state_at = now(), tries = tries + 1,
    first_tried_at = coalesce(first_tried_at, now())
  where id = $1 and state::text = 'waiting' and ${mayGo}
  returning id::text, handle, letter_id::text, direction, tries, unclear,
    extract(epoch from now() - first_tried_at)::int as tried_for`);

// What comes too late to be about this try changes nothing, but for an answer of which nothing was known.
const record = statement(`
  with recorded as (
    update reply set state = $3::reply_state, state_at = now(), due_at = now() + $4 * interval '1 second',
      cargo = case when $3 = 'waiting' then cargo end, unclear = unclear + $8
    where id = $1 and tries = $2 and state in ('sending', 'unknown')
    returning letter_id as id, direction, state
  ),
  ${appendNews('answered', {
    name: 'told',
    chosen: "select id from recorded where direction = 'from advocate' and state = 'accepted'",
    evidence: { code: '$5::smallint', host: '$6::text', response: '$7::text' },
  })}
  select 1 as one`);

/** Passes one reply on: what a brand wrote to its advocate, or an advocate's answer to the brand. */
export async function sendReply(sending: ReplySending, replyId: string): Promise<void> {
  const { database, log } = sending;
  const reply = await database.row(claim, [replyId]);
  if (!reply) return;
  let outcome: Outcome;
  try {
    outcome = await deliver(sending, reply);
  } catch (error) {
    // nothing was sent, so it may wait until the cause is mended
    log.error({ reply: replyId, err: error }, 'a reply could not be written out');
    outcome = { kind: 'try again' };
  }
  const state = stateAfter(outcome, reply);
  if (outcome === stoppedByGuard)
    log.info({ reply: replyId }, 'a reply was not passed on: MAIL_RECIPIENTS does not have its address');
  else if (state !== 'accepted')
    log.warn({ reply: replyId, code: outcome.code, state }, 'a reply was not accepted');
  const { code = null, host = null, response = null } = outcome;
  const unclear = outcome.kind === 'unknown' ? 1 : 0;
  const values = [replyId, reply.tries, state, waitAfter(reply.tries), code, host, response, unclear];
  await persist(
    () => database.rows(record, values),
    (error) => log.warn({ reply: replyId, err: error }, 'what became of a reply waits for the database'),
  );
}

function stateAfter({ kind }: Outcome, { direction, unclear, tried_for }: Claimed): ReplyState {
  if (kind === 'accepted') return 'accepted';
  if (kind === 'refused') return 'rejected';
  if (kind === 'unknown' && (direction === 'from advocate' || unclear + 1 >= mostUnclear)) return 'unknown';
  return tried_for < patience ? 'waiting' : 'abandoned';
}

/** @throws when it cannot be written out */
async function deliver(sending: ReplySending, reply: Claimed): Promise<Outcome> {
  const written =
    reply.direction === 'from brand'
      ? await writeForward(sending, reply.id)
      : await writeAnswer(sending, reply);
  // erased while it was taken up, or nobody there to write to
  if (!written) return { kind: 'refused' };
  const { from, to, message } = written;
  return sending.mailer.send({ from, to }, message).catch((error): Outcome => {
    sending.log.error({ reply: reply.id, err: error }, 'passing a reply on failed in an unexpected way');
    return { kind: 'unknown' };
  });
}

/**
 * The bytes of an answer. It is written anew: of the advocate's mail program, its headers and its route nothing is
 * in it, and its date is ours.
 */
async function writeAnswer(sending: ReplySending, { id, handle }: Claimed) {
  const answer = await findAnswer(sending.database, id);
  if (!answer) return undefined;
  const { from, to, replyTo, subject, text, language, thread } = await composeAnswer(sending, answer);
  if (!to) return undefined;
  const domain = answer.mail_domain ?? sending.mailDomain;
  const date = new Date();
  return {
    from: replyReturnPath(sending.vault, handle, domain, date),
    to: to.address,
    message: encodeMessage({
      from,
      to,
      replyTo,
      subject,
      text,
      language,
      thread,
      messageId: `${handle}@${domain}`,
      date,
    }),
  };
}
