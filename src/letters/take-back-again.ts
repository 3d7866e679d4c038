import { type Database, statement } from '../db/database.ts';
import { readTakenBack } from '../hold/taken-back.ts';
import type { Vault } from '../people/vault.ts';
import { handleOf } from './alias.ts';
import { cancelAgain, eraseAgain } from './cancel-letters.ts';

// Both may be about many rows and many notes, so these are joined, not compared one with each other.
const erased = statement<{ id: string }>(`
  select id::text from advocate
  join (select distinct unnest($1::text[]) as hash) as noted on noted.hash = encode(sha256(submission), 'hex')`);

// in bundles and in drafts there are none that may leave: see reconcile.ts
const cancelled = statement<{ advocate_id: string; message_id: string }>(`
  select advocate_id::text, message_id from waiting_letter join letter on letter.id = letter_id
  join (select distinct unnest($1::text[]) as hash) as noted on noted.hash = encode(sha256(convert_to(message_id, 'UTF8')), 'hex')
  where advocate_id is not null`);

/**
 * Erases people and cancels letters that an old backup brought back although they were erased or cancelled since.
 * Doing it twice is doing it once.
 *
 * @returns how many there were
 */
export async function takeBackAgain(
  parts: { database: Database; vault: Vault },
  dataDir: string,
): Promise<{ erased: number; cancelled: number }> {
  const { database } = parts;
  const noted = await readTakenBack(dataDir);
  const people = await database.atLeisure((transaction) => transaction.rows(erased, [noted.erased]));
  for (const { id } of people) await eraseAgain(parts, id);
  const letters = await database.atLeisure((transaction) => transaction.rows(cancelled, [noted.cancelled]));
  for (const { advocate_id, message_id } of letters)
    await cancelAgain(parts, advocate_id, handleOf(message_id));
  return { erased: people.length, cancelled: letters.length };
}
