import { type Queryable, statement } from '../db/database.ts';
import type { Sealed } from '../people/advocate.ts';
import { hashToken } from '../people/token.ts';
import type { ReplyState } from './reply.ts';

/** A mail of the brand that an advocate answers, and all that an answer is made of. */
export type Answered = Sealed & {
  id: string;
  handle: string;
  state: ReplyState;
  content: Buffer;
  advocate_id: string;
  letter_id: string;
  message_id: string;
  wording_id: number;
  lists: [string, ...string[]];
  brand: string;
  mail_domain: string | null;
  address: Buffer;
  said: Buffer;
  tokens: Buffer;
  /** Where the answer goes: the contact that the letter went to. */
  to: string | null;
};

/** An answer, and what it answers. */
export type Answer = Answered & {
  draft: string;
  draft_handle: string;
  draft_state: ReplyState;
  draft_content: Buffer;
};

const answeredColumns = `
  reply.id::text, reply.handle, reply.state, reply.content, reply.advocate_id::text, reply.letter_id::text,
  message_id, wording_id, lists, brand.name as brand, mail_domain, submission, data_key, advocate.key_version,
  advocate.address, said, tokens, case when contact.kind = 'email' then contact.address end as to`;

const around = `
  join advocate on advocate.id = reply.advocate_id
  join letter on letter.id = reply.letter_id
  join campaign on campaign.id = letter.campaign_id
  join brand on brand.id = letter.brand_id
  join campaign_brand on campaign_brand.campaign_id = letter.campaign_id and campaign_brand.brand_id = letter.brand_id
  left join contact on contact.id = letter.contact_id`;

const ofHandle = statement<Answered>(`
  select ${answeredColumns} from reply ${around} where reply.handle = $1 and direction = 'from brand'`);

const onPage = statement<Answered>(`
  select ${answeredColumns} from reply ${around}
  where reply.handle = $1 and direction = 'from brand' and not automatic and receipt_hash = $2`);

const answerColumns = `${answeredColumns}, draft.id::text as draft, draft.handle as draft_handle,
  draft.state as draft_state, draft.content as draft_content`;

const answerOnPage = statement<Answer>(`
  select ${answerColumns} from reply draft join reply on reply.id = draft.answers_id ${around}
  where draft.handle = $1 and draft.direction = 'from advocate' and receipt_hash = $2`);

const answerOfId = statement<Answer>(`
  select ${answerColumns} from reply draft join reply on reply.id = draft.answers_id ${around}
  where draft.id = $1 and draft.direction = 'from advocate'`);

/** The brand's mail of this handle; for mail to its alias. */
export const findAnswered = (db: Queryable, handle: string) => db.row(ofHandle, [handle]);

/** The same, for whoever has the token of the private page. */
export const findAnsweredOnPage = (db: Queryable, token: string, handle: string) =>
  db.row(onPage, [handle, hashToken(token)]);

/** An answer of the person whose private page this is. */
export const findAnswerOnPage = (db: Queryable, token: string, handle: string) =>
  db.row(answerOnPage, [handle, hashToken(token)]);

export const findAnswer = (db: Queryable, id: string) => db.row(answerOfId, [id]);

// A letter that has enough drafts takes no more: they are counted and added under the person's row, which whoever
// erases or forgets them takes first as well. So this waits for them, and then finds nobody.
const lockPerson = statement<{ id: string }>('select id::text from advocate where id = $1 for no key update');

const waitingDrafts = statement<{ n: number }>(
  "select count(*)::int as n from reply where letter_id = $1 and state = 'draft'",
);

const insert = statement<{ handle: string }>(`
  insert into reply (handle, letter_id, advocate_id, answers_id, direction, state, digest, content)
  values ($1, $2, $3, $4, 'from advocate', 'draft', $5, $6)
  on conflict (letter_id, digest) do nothing
  returning handle`);

const sameDigest = statement<{ handle: string }>(
  'select handle from reply where letter_id = $1 and digest = $2',
);

export type NewDraft = { handle: string; digest: Buffer; content: Buffer };

/** Stores a draft; the one that is there when the same came before. Needs a transaction. */
export async function addDraft(
  transaction: Queryable,
  { id, letter_id, advocate_id }: Answered,
  { handle, digest, content }: NewDraft,
  most: number,
): Promise<{ kind: 'drafted' | 'known'; handle: string } | { kind: 'full' | 'gone' }> {
  if (!(await transaction.row(lockPerson, [advocate_id]))) return { kind: 'gone' };
  const known = await transaction.row(sameDigest, [letter_id, digest]);
  if (known) return { kind: 'known', ...known };
  if (((await transaction.row(waitingDrafts, [letter_id]))?.n ?? 0) >= most) return { kind: 'full' };
  const added = await transaction.row(insert, [handle, letter_id, advocate_id, id, digest, content]);
  return added ? { kind: 'drafted', ...added } : { kind: 'full' };
}

const rewrite = statement(
  "update reply set content = $2, state_at = now() where id = $1 and state = 'draft'",
);

export const rewriteDraft = (db: Queryable, id: string, content: Buffer) => db.rows(rewrite, [id, content]);

const leftToday = statement<{ n: number }>(`
  select count(*)::int as n from reply
  where letter_id = $1 and direction = 'from advocate' and state <> 'draft' and at > now() - interval '24 hours'`);

// one that goes once more has five days of its own
const approve = statement<{ id: string }>(`
  update reply set state = 'waiting', state_at = now(), at = now(), due_at = now(), first_tried_at = null
  where id = $1 and (state = 'draft' or state = 'unknown') returning id::text`);

const isThere = statement<{ id: string }>('select id::text from reply where id = $1');

/** Lets an answer go, unless too many went today, or it is gone, or its writer is. Needs a transaction. */
export async function approveDraft(
  transaction: Queryable,
  { draft, letter_id, advocate_id }: Answer,
  mostPerDay: number,
): Promise<'sent' | 'enough' | 'gone'> {
  if (!(await transaction.row(lockPerson, [advocate_id]))) return 'gone';
  if (((await transaction.row(leftToday, [letter_id]))?.n ?? 0) >= mostPerDay) return 'enough';
  if (await transaction.row(approve, [draft])) return 'sent';
  return (await transaction.row(isThere, [draft])) ? 'sent' : 'gone'; // by another press, or thrown away
}

const drop = statement("delete from reply where id = $1 and state = 'draft'");

export const dropDraft = (db: Queryable, { draft }: Answer) => db.rows(drop, [draft]);
