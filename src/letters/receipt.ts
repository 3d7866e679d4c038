import type { Campaign } from '../campaigns/campaign.ts';
import { findCampaignById } from '../campaigns/campaign-store.ts';
import type { Wordings } from '../campaigns/wordings.ts';
import { type Queryable, statement } from '../db/database.ts';
import { openPerson, openSaid, type Sealed } from '../people/advocate.ts';
import { hashToken, numberOf } from '../people/token.ts';
import type { Vault } from '../people/vault.ts';
import { handleOf } from './alias.ts';
import { type ComposedLetter, composeLetter } from './compose.ts';
import { type Holdup, type HoldupRow, holdupColumns, holdupOf } from './holdup.ts';
import type { EventType, LetterId, LetterState } from './letter.ts';

export type LetterEvent = {
  type: EventType;
  at: Date;
  code: number | null;
  response: string | null;
  host: string | null;
};

export type ReceiptLetter = {
  id: LetterId;
  handle: string;
  messageId: string;
  brand: string;
  brandSlug: string;
  state: LetterState;
  /** When it is tried again, while it is deferred. */
  dueAt: Date | null;
  /** Why it waits, while it is ready. */
  holdup?: Holdup;
  events: LetterEvent[];
};

/** What an advocate sees of their letters. */
export type Receipt = {
  advocateId: string;
  campaign: Campaign;
  letters: ReceiptLetter[];
};

type AdvocateRow = Sealed & {
  id: string;
  campaign_id: number;
  confirmed_at: Date | null;
  address: Buffer;
  said: Buffer;
};

const advocateColumns =
  'id::text, campaign_id, confirmed_at, submission, data_key, key_version, address, said';

const byReceipt = statement<AdvocateRow>(`select ${advocateColumns} from advocate where receipt_hash = $1`);
const byConfirm = statement<AdvocateRow>(`select ${advocateColumns} from advocate where confirm_hash = $1`);
const byWaiting = statement<AdvocateRow & { tokens: Buffer }>(
  `select ${advocateColumns}, tokens from advocate where waiting_hash = $1`,
);

type LetterRow = HoldupRow & {
  id: string;
  message_id: string;
  brand: string;
  brand_slug: string;
  state: LetterState;
  due_at: Date | null;
  wording_id: number;
  lists: [string, ...string[]];
};

const lettersOf = statement<LetterRow>(`
  select letter.id::text, message_id, brand.name as brand, brand.slug as brand_slug, letter.state, letter.due_at,
    wording_id, lists, ${holdupColumns}
  from letter
  join brand on brand.id = letter.brand_id
  join campaign on campaign.id = letter.campaign_id
  join campaign_brand on campaign_brand.campaign_id = letter.campaign_id
    and campaign_brand.brand_id = letter.brand_id
  join contact on contact.id = campaign_brand.contact_id
  left join receiver on receiver.domain = contact.domain
  where advocate_id = $1
  order by position`);

const eventsOf = statement<LetterEvent & { letter_id: string }>(`
  select letter_id::text, type, at, code, response, host
  from event where letter_id = any ($1::bigint[])
  order by at`);

/** The receipt behind a token; undefined when there is none, or when it was erased. */
export async function readReceipt(
  db: Queryable,
  token: string,
  mailDomain: string,
): Promise<Receipt | undefined> {
  const advocate = await db.row(byReceipt, [hashToken(token)]);
  if (!advocate?.confirmed_at) return undefined;
  const letters = await db.rows(lettersOf, [advocate.id]);
  const events = await db.rows(eventsOf, [letters.map(({ id }) => id)]);
  return {
    advocateId: advocate.id,
    campaign: await findCampaignById(db, advocate.campaign_id, mailDomain),
    letters: letters.map((letter) => ({
      id: letter.id,
      handle: handleOf(letter.message_id),
      messageId: letter.message_id,
      brand: letter.brand,
      brandSlug: letter.brand_slug,
      state: letter.state,
      dueAt: letter.due_at,
      holdup: holdupOf(letter.state, letter),
      events: events.filter(({ letter_id }) => letter_id === letter.id),
    })),
  };
}

type Parts = { database: Queryable; vault: Vault; wordings: Wordings };

/** A letter as its brand will see it, or saw it. */
export type Copy = ComposedLetter & { brand: string };

/** The copy of one letter; undefined when the token or the handle is not known. */
export async function readCopy(
  parts: Parts,
  mailDomain: string,
  token: string,
  handle: string,
): Promise<Copy | undefined> {
  const advocate = await parts.database.row(byReceipt, [hashToken(token)]);
  if (!advocate?.confirmed_at) return undefined;
  const [copy] = await copiesOf(parts, mailDomain, advocate, (one) => handleOf(one.message_id) === handle);
  return copy;
}

/** Copies of those letters, for whoever has the link from the mailbox; none when the token is not known. */
export async function readDrafts(
  parts: Parts,
  mailDomain: string,
  token: string,
  ids: readonly string[],
): Promise<Copy[]> {
  const advocate = await parts.database.row(byConfirm, [hashToken(token)]);
  return advocate ? copiesOf(parts, mailDomain, advocate, ({ id }) => ids.includes(id)) : [];
}

async function copiesOf(
  { database, vault, wordings }: Parts,
  mailDomain: string,
  advocate: AdvocateRow,
  isWanted: (letter: LetterRow) => boolean,
): Promise<Copy[]> {
  const letters = (await database.rows(lettersOf, [advocate.id])).filter(isWanted);
  if (letters.length === 0) return [];
  const campaign = await findCampaignById(database, advocate.campaign_id, mailDomain);
  const said = openSaid(vault, advocate);
  return Promise.all(
    letters.map(async ({ message_id, wording_id, brand, lists }) => ({
      ...composeLetter({
        wording: await wordings.byId(wording_id),
        brand: { name: brand, lists },
        said,
        handle: handleOf(message_id),
        domain: campaign.mailDomain,
      }),
      brand,
    })),
  );
}

/** What the page between sending the form and opening the mailbox knows. */
export type Waiting = {
  address: string;
  /** It stands in the mail as well, see `numberOf`. */
  number: string;
  brands: string[];
  confirmed: boolean;
};

/** Behind the token of the waiting page; undefined when there is none. */
export async function readWaiting(db: Queryable, vault: Vault, token: string): Promise<Waiting | undefined> {
  const advocate = await db.row(byWaiting, [hashToken(token)]);
  if (!advocate) return undefined;
  const letters = await db.rows(lettersOf, [advocate.id]);
  const { address, tokens } = openPerson(vault, advocate);
  return {
    address,
    number: numberOf(tokens.confirm),
    brands: letters.map(({ brand }) => brand),
    confirmed: advocate.confirmed_at !== null,
  };
}
