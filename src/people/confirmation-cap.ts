import { looseMailbox } from './address.ts';
import { keyedHash, type Vault } from './vault.ts';

/** How many confirmation notices an address gets within 24 hours, over all campaigns. */
export const noticesPerDay = 2;

/**
 * The SQL that counts one more confirmation notice for each address: part of a `with` list. Afterwards `name`
 * holds the mailboxes that may have it, and not those that had enough. It is one atomic upsert, so two
 * requests at once cannot both take the last one.
 *
 * @param from a relation with one row per notice that is wanted, each with another `mailbox` (see `mailboxMark`)
 */
export function takeNotice({ name, from }: { name: string; from: string }): string {
  const recent = `unnest(confirmation_cap.asked_at) asked where asked > now() - interval '24 hours'`;
  return `
  ${name} as (
    insert into confirmation_cap (address_fingerprint, asked_at)
    select mailbox, array[now()] from ${from}
    on conflict (address_fingerprint) do update
      set asked_at = array(select asked from ${recent}) || now()
      where (select count(*) from ${recent}) < ${noticesPerDay}
    returning address_fingerprint as mailbox
  )`;
}

/** By what the cap knows a mailbox: a keyed hash of it, 16 bytes. */
export function mailboxMark(vault: Vault, address: string): Buffer {
  return keyedHash(vault.keyFor('address cap'), looseMailbox(address), 16);
}
