/** How many confirmation notices an address gets within 24 hours, over all campaigns. */
export const noticesPerDay = 2;

/**
 * The SQL that counts one more confirmation notice for an address: part of a `with` list. Afterwards `name`
 * holds a row if the address may have it, and none if it had enough. It is one atomic upsert, so two
 * requests at once cannot both take the last one.
 *
 * @param from a relation with one row per notice that is wanted (none: nothing is counted)
 * @param fingerprint parameter with the keyed hash of the mailbox
 */
export function takeNotice({
  name,
  from,
  fingerprint,
}: {
  name: string;
  from: string;
  fingerprint: string;
}): string {
  const recent = `unnest(confirmation_cap.asked_at) asked where asked > now() - interval '24 hours'`;
  return `
  ${name} as (
    insert into confirmation_cap (address_fingerprint, asked_at)
    select ${fingerprint}::bytea, array[now()] from ${from}
    on conflict (address_fingerprint) do update
      set asked_at = array(select asked from ${recent}) || now()
      where (select count(*) from ${recent}) < ${noticesPerDay}
    returning true
  )`;
}
