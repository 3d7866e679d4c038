import type { Wordings } from '../campaigns/wordings.ts';
import { type Database, isConnectionLoss, statement } from '../db/database.ts';
import type { Logger } from '../log.ts';
import type { Mailer } from '../mail/mailer.ts';
import { type Prepared, prepareMessage, stampMessage } from '../mail/message.ts';
import type { Outcome } from '../mail/outcome.ts';
import { openSaid, type Sealed } from '../people/advocate.ts';
import { sha256, type Vault } from '../people/vault.ts';
import { handleOf, replyAlias, returnPath } from './alias.ts';
import { composeLetter } from './compose.ts';
import { moveLetters, recordOutcomes } from './move.ts';
import type { Places } from './places.ts';
import { waitAfter } from './retry.ts';

export type Sending = {
  database: Database;
  vault: Vault;
  wordings: Wordings;
  mailer: Mailer;
  log: Logger;
  mailDomain: string;
  workerId: number;
  /** Room in the air: a letter takes a place from its claim to its record. What a crash leaves `unknown` at most. */
  places: Places;
  /** Set when the process is asked to stop: no further letter is claimed. */
  stopping: AbortSignal;
};

type BundleRow = {
  id: string;
  letter_ids: string[];
  brand: string;
  lists: [string, ...string[]];
  address: string;
  mail_domain: string | null;
};

// The row is the lock: a job that comes twice finds the bundle taken, or gone.
const take = statement<BundleRow>(`
  with taken as (
    update bundle set worker_id = $2 where id = $1 and worker_id is null
    returning id, campaign_id, brand_id, contact_id, letter_ids
  )
  select taken.id::text, letter_ids, brand.name as brand, lists, contact.address, mail_domain
  from taken
  join campaign on campaign.id = taken.campaign_id
  join brand on brand.id = taken.brand_id
  join campaign_brand on campaign_brand.campaign_id = taken.campaign_id and campaign_brand.brand_id = taken.brand_id
  join contact on contact.id = taken.contact_id`);

type Claimed = Sealed & { id: string; message_id: string; wording_id: number; tries: number; said: Buffer };

const record = recordOutcomes({
  name: 'recorded',
  outcome: `
    select id, move, code, host, response,
      now() + wait * interval '1 second' as due_at,
      nullif(substring($8::bytea from (32 * (n - 1) + 1)::int for 32), ''::bytea) as sent_sha256
    from unnest($2::bigint[], $3::text[], $4::smallint[], $5::text[], $6::text[], $7::int[])
      with ordinality as sent (id, move, code, host, response, wait, n)`,
});

// A bundle belongs to the worker that took it for as long as the sweep has not taken it away.
const ours = 'exists (select from bundle where id = $9 and worker_id = $10)';

// Recording the last letters and claiming the next is one statement: one round trip, one wait for the disk.
// Letters that are `sending` already although we never got them were claimed by an attempt whose answer was lost.
const recordAndClaim = statement<Claimed>(`
  with ${record},
  ${moveLetters('claim', {
    name: 'claimed',
    // a paused campaign stops here, too, within the few that are in the air
    chosen: `select letter.id from letter join campaign on campaign.id = campaign_id and campaign.state <> 'paused'
      where letter.id = any ($1::bigint[]) and ${ours}`,
    set: 'tries = tries + 1, first_tried_at = coalesce(first_tried_at, now())',
    returning: 'id, message_id, wording_id, tries, advocate_id',
  })},
  next as (
    select id, message_id, wording_id, tries, advocate_id from claimed
    union all
    select id, message_id, wording_id, tries, advocate_id from letter
    where id = any ($1::bigint[]) and state = 'sending' and ${ours}
  )
  select next.id::text, message_id, wording_id, tries, submission, data_key, key_version, said
  from next join advocate on advocate.id = advocate_id`);

const finish = statement(`
  with finished as (
    delete from bundle where id = $1 returning letter_ids
  ),
  ${moveLetters('return', {
    name: 'left_over',
    chosen: 'select unnest(letter_ids) from finished',
    set: 'due_at = now()',
    returning: 'id, campaign_id, brand_id, due_at',
  })}
  insert into waiting_letter (letter_id, campaign_id, brand_id, due_at)
  select id, campaign_id, brand_id, due_at from left_over`);

type Sent = { id: string; tries: number; outcome: Outcome; hash?: Buffer };

/**
 * How long the first answer waits for the others of its ten, in milliseconds: one statement for ten costs
 * little more than one for three. A slow one is left to the next statement.
 */
const gathering = 10;

/**
 * Sends the letters of one bundle, a few at a time: claimed in the database before a byte leaves, recorded
 * within milliseconds of the server's answer. A slow answer holds up its own letter, not the others. A bundle
 * that another worker took, or that is done, is left alone.
 */
export async function sendBundle(sending: Sending, bundleId: string): Promise<void> {
  const { database, stopping, places } = sending;
  const bundle = await database.row(take, [bundleId, sending.workerId]);
  if (!bundle) return;
  const left = [...bundle.letter_ids];
  const flight = startFlight();
  const shared = new Map<string, Prepared>();
  let free = 0;
  try {
    for (;;) {
      const wanted = stopping.aborted ? 0 : left.length;
      if (wanted > 0 && free === 0 && flight.empty()) free += await places.take(wanted);
      else if (wanted > free) free += places.takeNow(wanted - free);
      const answered = flight.land();
      free += answered.length; // recorded and claimed anew in the same statement
      const next = left.splice(0, Math.min(free, wanted));
      if (next.length === 0 && answered.length === 0) {
        if (flight.empty()) break;
      } else {
        const values = [next, ...columns(answered), bundle.id, sending.workerId];
        const claimed = await persist(sending, () => database.rows(recordAndClaim, values));
        for (const letter of claimed) flight.start(sendLetter(sending, bundle, letter, shared));
        free -= claimed.length;
      }
      if (left.length === 0 || stopping.aborted) free = places.give(free);
      await flight.answer(gathering);
    }
  } finally {
    places.give(free);
  }
  await persist(sending, () => database.rows(finish, [bundle.id]));
}

/** Letters that are with the mail server, and those that were answered and wait to be recorded. */
function startFlight() {
  let inAir = 0;
  let landed: Sent[] = [];
  let onAnswer = () => {};
  return {
    start(letter: Promise<Sent>): void {
      inAir += 1;
      void letter.then((sent) => {
        inAir -= 1;
        landed.push(sent);
        onAnswer();
      });
    },
    empty: () => inAir === 0 && landed.length === 0,
    land(): Sent[] {
      const all = landed;
      landed = [];
      return all;
    },
    /** Waits for an answer, if any is to come, and then a moment for the next ones. */
    async answer(milliseconds: number): Promise<void> {
      const next = () =>
        new Promise<void>((resolve) => {
          onAnswer = resolve;
        });
      if (inAir > 0 && landed.length === 0) await next();
      let waiting = true;
      const enough = new Promise<void>((resolve) => setTimeout(resolve, milliseconds)).then(() => {
        waiting = false;
      });
      while (waiting && inAir > 0) await Promise.race([next(), enough]);
    },
  };
}

async function sendLetter(
  sending: Sending,
  bundle: BundleRow,
  letter: Claimed,
  shared: Map<string, Prepared>,
): Promise<Sent> {
  const { id, tries } = letter;
  let message: Buffer;
  let from: string;
  try {
    ({ message, from } = await writeOut(sending, bundle, letter, shared));
  } catch (error) {
    // Nothing was sent, so the letter may wait until the cause is mended; the others of its bundle go on.
    sending.log.error({ letter: id, err: error }, 'a letter could not be written out');
    return { id, tries, outcome: { kind: 'try again' } };
  }
  try {
    const outcome = await sending.mailer.send({ from, to: bundle.address }, message);
    return { id, tries, outcome, hash: sha256(message) };
  } catch (error) {
    sending.log.error({ letter: id, err: error }, 'sending a letter failed in an unexpected way');
    return { id, tries, outcome: { kind: 'unknown' }, hash: sha256(message) };
  }
}

/**
 * The bytes of a letter and its envelope sender. Letters that say nothing personal are the same to the word
 * but for their stamp; their encoded text is kept for the others of the bundle.
 */
async function writeOut(sending: Sending, bundle: BundleRow, letter: Claimed, shared: Map<string, Prepared>) {
  const { vault, wordings } = sending;
  const domain = bundle.mail_domain ?? sending.mailDomain;
  const handle = handleOf(letter.message_id);
  const said = openSaid(vault, letter);
  const impersonal = !said.name && !said.description && !said.ownWords;
  const kind = `${letter.wording_id} ${said.reasons.join(' ')}`;

  let prepared = impersonal ? shared.get(kind) : undefined;
  if (!prepared) {
    const wording = await wordings.byId(letter.wording_id);
    const brand = { name: bundle.brand, lists: bundle.lists };
    const composed = composeLetter({ wording, brand, said, handle, domain });
    prepared = prepareMessage({ ...composed, to: { name: bundle.brand, address: bundle.address } });
    if (impersonal) shared.set(kind, prepared);
  }
  const date = new Date();
  const stamp = { messageId: letter.message_id, date, replyTo: replyAlias(handle, domain) };
  return { message: stampMessage(prepared, stamp), from: returnPath(vault, handle, domain, date) };
}

const moveOf = { accepted: 'accept', refused: 'reject', 'try again': 'defer', unknown: 'loseSight' } as const;

/** Parameters $2 to $8 of the recording part. */
function columns(sent: Sent[]): unknown[] {
  return [
    sent.map(({ id }) => id),
    sent.map(({ outcome }) => moveOf[outcome.kind]),
    sent.map(({ outcome }) => outcome.code ?? null),
    sent.map(({ outcome }) => outcome.host ?? null),
    sent.map(({ outcome }) => outcome.response ?? null),
    sent.map(({ outcome, tries }) => (outcome.kind === 'try again' ? waitAfter(tries) : null)),
    Buffer.concat(sent.map(({ hash }) => hash ?? noHash)),
  ];
}

const noHash = Buffer.alloc(32);

/**
 * What was seen on the wire must reach the database even if it restarts in this minute: otherwise letters
 * that were accepted end as `unknown`. Waits longer each time, up to a few seconds, for ten minutes.
 */
async function persist<Result>({ log }: Sending, work: () => Promise<Result>): Promise<Result> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isConnectionLoss(error) || tries > 150) throw error;
      log.warn({ err: error }, 'the database is away; outcomes are kept and recorded when it is back');
      await new Promise((resolve) => setTimeout(resolve, Math.min(4000, 100 * tries)));
    }
  }
}
