import { type Queryable, statement } from '../db/database.ts';
import { sameMailbox } from '../people/address.ts';
import { openAddress, type Sealed } from '../people/advocate.ts';
import { takeNotice } from '../people/confirmation-cap.ts';
import { hashToken } from '../people/token.ts';
import { keyedHash, type Vault } from '../people/vault.ts';

const find = statement<Sealed & { address: Buffer }>(`
  select submission, data_key, key_version, address from advocate
  where waiting_hash = $1 and confirmed_at is null`);

const ask = statement(`
  with person as (
    select id from advocate
    where waiting_hash = $1 and confirmed_at is null
      and not exists (select from notice where advocate_id = advocate.id and state in ('waiting', 'sending'))
  ),
  ${takeNotice({ name: 'cap', from: 'person', fingerprint: '$2' })}
  insert into notice (advocate_id, kind) select person.id, 'confirm' from person, cap`);

/**
 * Sends the confirmation notice once more, unless one is on its way or the address had enough of them today.
 * The answer does not tell which, since it would tell a stranger that somebody wrote.
 */
export async function askAgain(db: Queryable, vault: Vault, waitingToken: string): Promise<void> {
  const hash = hashToken(waitingToken);
  const advocate = await db.row(find, [hash]);
  if (!advocate) return;
  const mailbox = sameMailbox(openAddress(vault, advocate));
  await db.rows(ask, [hash, keyedHash(vault.keyFor('address cap'), mailbox, 16)]);
}
