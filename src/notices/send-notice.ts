import { type Database, statement } from '../db/database.ts';
import { persist } from '../db/persist.ts';
import { going } from '../hold/hold.ts';
import type { Locales } from '../locale/locale.ts';
import type { Logger } from '../log.ts';
import type { Mailer } from '../mail/mailer.ts';
import { encodeMessage } from '../mail/message.ts';
import type { Outcome } from '../mail/outcome.ts';
import { stoppedByGuard } from '../mail/recipients.ts';
import { openPerson, type Sealed } from '../people/advocate.ts';
import { mintToken, numberOf } from '../people/token.ts';
import type { Vault } from '../people/vault.ts';
import { mostUnclear } from './notice-queue.ts';
import { renderNotice } from './render.ts';

export type NoticeSending = {
  database: Database;
  vault: Vault;
  locales: Locales;
  mailer: Mailer;
  log: Logger;
  mailDomain: string;
  /** Where links lead, without a trailing slash. */
  publicUrl: string;
};

/**
 * Tries of one notice, which take five days, as those of a letter do: a relay may be away for a night, and the person's
 * letters wait for the link. It goes with the draft that it is about, two days later.
 */
const mostTries = 125;

type Kind = 'confirm' | 'answer';

/** What a notice is about, in its subject; its text is the template of that name. */
const subjects: Record<Kind, string> = {
  confirm: 'notice.confirm.subject',
  answer: 'notice.answer.subject',
};

type Claimed = Sealed & {
  id: string;
  kind: Kind;
  tries: number;
  unclear: number;
  language: string;
  address: Buffer;
  tokens: Buffer;
  mail_domain: string | null;
};

// The state is compared as text, since a plan that is made while none waits would go through the index of those that do.
const claim = statement<Claimed>(`
  with claimed as (
    update notice set state = 'sending', state_at = now(), tries = tries + 1
    where id = $1 and state::text = 'waiting' and ${going}
    returning id, advocate_id, kind, tries, unclear
  )
  select claimed.id::text, claimed.kind, tries, unclear, language, submission, data_key, advocate.key_version, address, tokens, mail_domain
  from claimed
  join advocate on advocate.id = advocate_id
  join campaign on campaign.id = campaign_id`);

const record = statement(`
  update notice set state = $2, state_at = now(), due_at = now() + $3 * interval '1 second', unclear = unclear + $4
  where id = $1 and state::text = 'sending'`);

/**
 * Sends one notice. Unlike a letter, a notice whose fate is unclear is sent once more: two of the same do no harm, and
 * without the one that asks for confirmation the person's letter would never leave.
 */
export async function sendNotice(sending: NoticeSending, noticeId: string): Promise<void> {
  const { database, log } = sending;
  const notice = await database.row(claim, [noticeId]);
  if (!notice) return;
  let outcome: Outcome;
  try {
    outcome = await deliver(sending, notice);
  } catch (error) {
    // nothing was sent, so it may wait until the cause is mended
    log.error({ notice: noticeId, err: error }, 'a notice could not be written out');
    outcome = { kind: 'try again' };
  }
  const state = stateAfter(outcome, notice);
  const unclear = outcome.kind === 'unknown' ? 1 : 0;
  if (outcome === stoppedByGuard)
    log.info({ notice: noticeId }, 'a notice was not sent: MAIL_RECIPIENTS does not have its address');
  else if (state !== 'accepted')
    log.warn({ notice: noticeId, code: outcome.code, state }, 'a notice was not accepted');
  await persist(
    () => database.rows(record, [noticeId, state, waitAfter(notice.tries), unclear]),
    (error) => log.warn({ notice: noticeId, err: error }, 'what became of a notice waits for the database'),
  );
}

function stateAfter(
  { kind }: Outcome,
  { tries, unclear }: Claimed,
): 'accepted' | 'rejected' | 'waiting' | 'abandoned' {
  if (kind === 'accepted') return 'accepted';
  if (kind === 'refused') return 'rejected';
  if (kind === 'unknown' && unclear + 1 >= mostUnclear) return 'abandoned';
  return tries < mostTries ? 'waiting' : 'abandoned';
}

/** A minute, then twice as long each time, at most an hour; in seconds. */
function waitAfter(tries: number): number {
  return Math.min(3600, 60 * 2 ** (tries - 1));
}

/** @throws when it cannot be written out */
async function deliver(
  { vault, locales, mailer, log, mailDomain, publicUrl }: NoticeSending,
  notice: Claimed,
): Promise<Outcome> {
  const locale = locales.get(notice.language);
  const domain = notice.mail_domain ?? mailDomain;
  const { address, tokens } = openPerson(vault, notice);
  const { confirm } = tokens;
  const from = `notices@${domain}`;
  const message = encodeMessage({
    from: { name: 'Outspoken', address: from },
    to: { name: '', address },
    subject: locale.text(subjects[notice.kind]),
    text: await renderNotice(notice.kind, locale, {
      link: `${publicUrl}/confirm/${confirm}`,
      number: numberOf(confirm),
    }),
    language: locale.language,
    messageId: `n.${mintToken().slice(0, 24)}@${domain}`,
    date: new Date(),
    autoSubmitted: 'auto-generated',
  });
  return mailer.send({ from, to: address }, message).catch((error): Outcome => {
    log.error({ notice: notice.id, err: error }, 'sending a notice failed in an unexpected way');
    return { kind: 'unknown' };
  });
}
