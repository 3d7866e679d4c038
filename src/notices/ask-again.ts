import { type Queryable, statement } from '../db/database.ts';
import { openAddress, type Sealed } from '../people/advocate.ts';
import { mailboxMark, takeNotice } from '../people/confirmation-cap.ts';
import { hashToken } from '../people/token.ts';
import type { Vault } from '../people/vault.ts';

const find = statement<Sealed & { address: Buffer }>(`
  select submission, data_key, key_version, address from advocate
  where waiting_hash = $1 and confirmed_at is null`);

const ask = statement(`
  with person as (
    select id, $2::bytea as mailbox from advocate
    where waiting_hash = $1 and confirmed_at is null
      and not exists (select from notice where advocate_id = advocate.id and state in ('waiting', 'sending'))
    for key share -- nobody is there any more if this had to wait until the draft expired
  ),
  ${takeNotice({ name: 'cap', from: 'person' })}
  insert into notice (advocate_id, kind) select person.id, 'confirm' from person, cap`);

/**
 * Sends the confirmation notice once more, unless one is on its way or the address had enough of them today.
 * The answer does not tell which, since it would tell a stranger that somebody wrote.
 */
export async function askAgain(db: Queryable, vault: Vault, waitingToken: string): Promise<void> {
  const hash = hashToken(waitingToken);
  const advocate = await db.row(find, [hash]);
  if (!advocate) return;
  await db.rows(ask, [hash, mailboxMark(vault, openAddress(vault, advocate))]);
}
