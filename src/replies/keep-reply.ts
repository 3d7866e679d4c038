import { type Queryable, statement } from '../db/database.ts';
import type { LetterId } from '../letters/letter.ts';
import type { Sealed } from '../people/advocate.ts';
import { mintHandle } from '../people/token.ts';
import type { Vault } from '../people/vault.ts';
import { type Cargo, type Content, caps, type ReplyState, sealCargo, sealContent } from './reply.ts';

/** Mail that somebody wrote to a letter's address, read. */
export type Arrived = {
  digest: Buffer;
  automatic: boolean;
  content: Content;
  cargo: Cargo[];
};

type Row = Sealed & { advocate_id: string; kept: number; forwarded: number; forwarded_today: number };

const passedOn = "direction = 'from brand' and reply.state <> 'kept'";

const look = statement<Row>(`
  select advocate.id::text as advocate_id, submission, data_key, key_version,
    (select count(*)::int from reply where letter_id = letter.id and direction = 'from brand') as kept,
    (select count(*)::int from reply where letter_id = letter.id and ${passedOn}) as forwarded,
    (select count(*)::int from reply where letter_id = letter.id and ${passedOn}
      and at > now() - interval '24 hours') as forwarded_today
  from letter join advocate on advocate.id = advocate_id
  where letter.id = $1`);

const insert = statement(`
  insert into reply (handle, letter_id, advocate_id, direction, automatic, state, digest, content, cargo)
  values ($1, $2, $3, 'from brand', $4, $5, $6, $7, $8)
  on conflict (letter_id, digest) do nothing`);

/**
 * Keeps what a brand wrote, and has it passed on: not what a machine wrote, since two machines would never end, and
 * not without end, since whoever got the letter can write. Needs a transaction that holds the letter's row, so that
 * the counts hold.
 *
 * @returns whether there was room; false: a person must look
 */
export async function keepReply(
  transaction: Queryable,
  vault: Vault,
  letterId: LetterId,
  { digest, automatic, content, cargo }: Arrived,
): Promise<boolean> {
  const found = await transaction.row(look, [letterId]);
  if (!found) return true; // its writer is gone, and what is for them is nobody else's
  if (found.kept >= caps.replies) return false;
  const over = found.forwarded_today >= caps.forwardsPerDay || found.forwarded >= caps.forwards;
  const state: ReplyState = automatic || over ? 'kept' : 'waiting';
  const handle = mintHandle();
  const passed = state === 'waiting' ? cargo : [];
  const attachments =
    state === 'waiting' ? content.attachments : content.attachments.map((one) => ({ ...one, passed: false }));
  await transaction.rows(insert, [
    handle,
    letterId,
    found.advocate_id,
    automatic,
    state,
    digest,
    sealContent(vault, found, handle, { ...content, attachments }),
    passed.length > 0 ? sealCargo(vault, found, handle, passed) : null,
  ]);
  return true;
}
