import { areAboutContact, heedRefusals, isSuspendedAfter } from '../brands/contact-health.ts';
import { type Database, type Queryable, statement } from '../db/database.ts';
import { persist } from '../db/persist.ts';
import { goingSince } from '../hold/hold.ts';
import { type Mark, nothing } from '../hold/mark.ts';
import type { Logger } from '../log.ts';
import { isOurOwn, type Outcome } from '../mail/outcome.ts';
import type { Sealed } from '../people/advocate.ts';
import { moveLetters, putBack } from './move.ts';
import { areAboutReceiver, heedOutcomes, type ReceiverState } from './receiver-store.ts';
import { columns, letStayedGo, record, recordSent, type Sent, stillInIt } from './record-sent.ts';

/** A bundle with what all its letters share. */
export type BundleRow = {
  id: string;
  letter_ids: string[];
  brand: string;
  contact_id: number;
  /** How many letters to this contact were refused in a row, when that was last asked. */
  refusals: number;
  lists: [string, ...string[]];
  address: string;
  mail_domain: string | null;
  /** The receiving host of the address. */
  domain: string;
  /** The one letter that tries out a host which asked to be left alone. */
  probe: boolean;
  /** How that host stood when this was last asked. */
  receiver: ReceiverState;
};

/** A letter that is ours to send. */
export type Claimed = Sealed & {
  id: string;
  message_id: string;
  wording_id: number;
  tries: number;
  said: Buffer;
};

// The row is the lock: a job that comes twice finds the bundle taken, or gone. Who took it under this very logbook, and had no
// answer, has it.
const take = statement<BundleRow>(`
  with taken as (
    update bundle set worker_id = $2, logbook = $3 where id = $1 and (worker_id is null or worker_id = $2 and logbook = $3)
    returning id, campaign_id, brand_id, contact_id, letter_ids, probes
  )
  select taken.id::text, letter_ids, brand.name as brand, taken.contact_id, refusals, lists, contact.address,
    mail_domain, contact.domain,
    probes is not null as probe,
    case when receiver.domain is null then 'well' when probe_at is null then 'watched' else 'open' end as receiver
  from taken
  join campaign on campaign.id = taken.campaign_id
  join brand on brand.id = taken.brand_id
  join campaign_brand on campaign_brand.campaign_id = taken.campaign_id and campaign_brand.brand_id = taken.brand_id
  join contact on contact.id = taken.contact_id
  left join receiver on receiver.domain = contact.domain`);

const recordLast = statement(`with ${record}, finished as (delete from bundle where id = $8) select`);

// A bundle belongs to the worker that took it for as long as the sweep has not taken it away.
const ours = 'exists (select from bundle where id = $8 and worker_id = $10)';

// Asked once for all letters of a statement: they go to one contact in one campaign. A paused campaign, a suspended
// contact, a host that asks for a break and a hold stop here, too, but for the few that are in the air.
const mayGo = `exists (
    select from bundle
    join campaign on campaign.id = campaign_id and campaign.state <> 'paused'
    join contact on contact.id = contact_id and contact.health = 'good'
    where bundle.id = $8 and worker_id = $10)
  and not exists (select from receiver where domain = $11 and probe_at is not null)
  and ${goingSince('$12')}`;

// Letters that are `sending` already although we never got them: claimed by an attempt whose answer was lost.
const claimedUnheard = `
    union all
    select id, message_id, wording_id, tries, advocate_id from letter
    where id = any ($9::bigint[]) and state = 'sending' and ${stillInIt} and ${ours}`;

/** Recording the last letters and claiming the next is one statement: one round trip, one wait for the disk. */
const recordAndClaim = (orElse = '') =>
  statement<Claimed>(`
  with ${record},
  ${moveLetters('claim', {
    name: 'claimed',
    chosen: `select id from unnest($9::bigint[]) as next (id) where ${mayGo}`,
    set: 'tries = tries + 1, first_tried_at = coalesce(first_tried_at, now())',
    only: stillInIt,
    returning: 'id, message_id, wording_id, tries, advocate_id',
  })},
  next as (
    select id, message_id, wording_id, tries, advocate_id from claimed${orElse}
  )
  select next.id::text, message_id, wording_id, tries, submission, data_key, key_version, said
  from next join advocate on advocate.id = advocate_id`);
const firstTime = recordAndClaim();
const onceMore = recordAndClaim(claimedUnheard);

// A letter that is `sending` although all answers are in was claimed by a statement that nobody got an answer to.
const finish = statement(`
  with finished as (
    delete from bundle where id = $1 returning letter_ids
  ),
  ${moveLetters('loseSight', {
    name: 'lost',
    chosen: 'select unnest(letter_ids) from finished',
    only: 'bundle_id = $1',
  })},
  ${putBack({ name: 'left_over', chosen: 'select unnest(letter_ids) from finished', only: 'bundle_id = $1' })}
  select`);

export type BundleStore = ReturnType<typeof openBundles>;

type Worker = {
  workerId: number;
  /** The name of its logbooks, which stands beside each bundle that it takes. */
  logbook?: string;
  mark: Pick<Mark, 'cover'>;
  log: Logger;
};

/** The database as one worker's sending needs it. Statements are tried again while the database is away. */
export function openBundles(database: Database, { workerId, logbook, mark, log }: Worker) {
  // otherwise letters that were accepted while the database is away would end as `unknown`
  const insist = <Result>(work: () => Promise<Result>) =>
    persist(work, (error) =>
      log.warn({ err: error }, 'the database is away; outcomes are kept and recorded when it is back'),
    );
  /**
   * A statement that was not answered may still be waiting in the server, and run later than the one that repeats it.
   * Repeated, it runs on one snapshot, so that the two cannot each do half.
   */
  function insistOn<Result>(work: (db: Queryable, repeated: boolean) => Promise<Result>): Promise<Result> {
    let repeated = false;
    return insist(() => {
      if (repeated) return database.onSnapshot((transaction) => work(transaction, true));
      repeated = true;
      return work(database, false);
    });
  }
  return {
    /** Makes a bundle this worker's; undefined when another worker has it, or it is done. */
    take: (bundleId: string) => insist(() => database.row(take, [bundleId, workerId, logbook ?? null])),
    /**
     * Remembers what outcomes say about the receiving host and about the contact. If they say anything they are recorded,
     * too, in the same transaction, and only what this has recorded counts: when the answer to its commit is lost, and it
     * is done again, nothing is left to be recorded.
     *
     * @returns what is not recorded yet, and whether host or contact are to be left alone: no further letter of the bundle may go
     */
    async heed(bundle: BundleRow, sent: Sent[]): Promise<{ unrecorded: Sent[]; holdOff: boolean }> {
      const all = sent.map(({ outcome }) => outcome);
      const [aboutReceiver, aboutContact] = [
        areAboutReceiver(bundle, all),
        areAboutContact(bundle, countAtOnce(all)),
      ];
      const holdsOff = () => bundle.receiver === 'open' && !bundle.probe;
      if (!aboutReceiver && !aboutContact) return { unrecorded: sent, holdOff: holdsOff() };
      const { receiver, refusals } = await insist(() =>
        database.transaction(async (transaction) => {
          const recorded = new Set(await recordSent(transaction, bundle.id, sent));
          const outcomes = sent.filter(({ id }) => recorded.has(id)).map(({ outcome }) => outcome);
          return {
            receiver: aboutReceiver ? await heedOutcomes(transaction, bundle, outcomes) : bundle.receiver,
            refusals: aboutContact
              ? await heedRefusals(transaction, bundle.contact_id, countAtOnce(outcomes))
              : bundle.refusals,
          };
        }),
      );
      if (receiver === 'open' && bundle.receiver !== 'open')
        log.warn({ domain: bundle.domain }, 'a host is left alone for a while');
      Object.assign(bundle, { receiver, refusals });
      return { unrecorded: [], holdOff: holdsOff() || (aboutContact && isSuspendedAfter(refusals)) };
    },
    /** Records outcomes and claims letters; those that may not be sent any more are left out. */
    recordAndClaim: (bundle: BundleRow, sent: Sent[], next: string[]) =>
      insistOn(async (db, repeated) =>
        db.rows(repeated ? onceMore : firstTime, [
          ...columns(sent),
          bundle.id,
          next,
          workerId,
          bundle.probe ? null : bundle.domain,
          next.length > 0 ? await mark.cover() : nothing,
        ]),
      ),
    /** Records the last outcomes of a bundle all of whose letters were claimed and answered, and ends it. */
    recordAndFinish: (bundle: BundleRow, sent: Sent[]) =>
      insistOn((db) => db.rows(recordLast, [...columns(sent), bundle.id])),
    /** Puts back what was claimed and has not left. */
    letGo(bundle: BundleRow, ids: string[]) {
      const stayed = ids.map((id) => ({ id, bundleId: bundle.id }));
      return insistOn((db) => letStayedGo(db, stayed));
    },
    /** Does something else with the database, as often as it takes. */
    insist,
    /** Ends any bundle; what was not claimed waits again, in its old place. */
    finish: (bundle: BundleRow) => insistOn((db) => db.rows(finish, [bundle.id])),
  };
}

const countAtOnce = (outcomes: Outcome[]) => ({
  isTaken: outcomes.some(({ kind }) => kind === 'accepted'),
  refused: outcomes.filter((outcome) => outcome.kind === 'refused' && !isOurOwn(outcome)).length,
});
