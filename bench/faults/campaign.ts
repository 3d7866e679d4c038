import { runMigrations } from 'bullmq';
import pg from 'pg';
import { brandsOf, findCampaign } from '../../src/campaigns/campaign-store.ts';
import { fingerprintKeyPlace } from '../../src/campaigns/fingerprint.ts';
import { seedFirstCampaign } from '../../src/campaigns/seed.ts';
import { openWordings } from '../../src/campaigns/wordings.ts';
import { visitorsAtOnce } from '../../src/context.ts';
import { type Database, openDatabase } from '../../src/db/database.ts';
import { gather } from '../../src/db/gather.ts';
import { createHint } from '../../src/db/hint.ts';
import { migrate } from '../../src/db/migrate.ts';
import { handleOf, letterHandle, messageIdOf } from '../../src/letters/alias.ts';
import { cancelLetters } from '../../src/letters/cancel-letters.ts';
import { confirmLetters } from '../../src/letters/confirm-letters.ts';
import { type Submission, submissionKey } from '../../src/letters/submission.ts';
import { type Written, writeLetters } from '../../src/letters/write-letters.ts';
import { mailboxMark } from '../../src/people/confirmation-cap.ts';
import type { Vault } from '../../src/people/vault.ts';
import { pause } from './processes.ts';
import { numberOf, pick, seeded } from './random.ts';

export const mailDomain = 'outspoken.example';
const slug = 'faults';
const brandCount = 20;

/** A campaign of twenty brands; its letters will be confirmed without a mail, so that all mail is letters. */
export async function prepareCampaign(url: string, vault: Vault, advocates: number): Promise<void> {
  await migrate(url);
  const database = openDatabase(url, 2);
  await database.transaction((transaction) => seedFirstCampaign(transaction, vault));
  await database.close();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await runMigrations(client);
  const key = vault.mintKey(fingerprintKeyPlace(slug));
  await client.query(
    `insert into campaign (slug, state, texts, fingerprint_key, key_version)
     select $1, 'open', texts, $2, $3 from campaign`,
    [slug, key.wrapped, key.version],
  );
  await client.query(`
    with made as (
      insert into brand (slug, name) select 'faults-' || n, 'Brand ' || n from generate_series(1, ${brandCount}) n
      returning id, slug
    ),
    reached as (
      insert into contact (brand_id, kind, address) select id, 'email', 'human-rights@' || slug || '.example' from made
      returning id, brand_id
    )
    insert into campaign_brand (campaign_id, brand_id, contact_id, position, lists)
    select campaign.id, brand_id, reached.id, brand_id, (select lists from campaign_brand limit 1)
    from reached, campaign where slug = '${slug}'`);
  await client.query(`
    insert into wording (campaign_id, language, version, sender, subject, body, passages)
    select (select id from campaign where slug = '${slug}'), language, 1, sender, subject, body, passages
    from wording where language = 'en'`);
  // an address that had its notices for today gets none
  await client.query('insert into confirmation_cap select unnest($1::bytea[]), array[now(), now(), now()]', [
    Array.from({ length: advocates }, (_, n) => mailboxMark(vault, addressOf(n))),
  ]);
  await client.end();
}

const addressOf = (n: number) => `advocate-${n}@mail.example`;

/** People who write until there are `letters` letters, as long as not too many wait. */
export type Crowd = {
  /** The Message-IDs of the letters that were promised to somebody. */
  promised: Set<string>;
  /** How often an outage made somebody try again. */
  tries: number;
  done: Promise<void>;
};

type Options = { url: string; vault: Vault; letters: number; seed: number; mayWrite: () => boolean };

/** Letters of one person: one, a few or all brands. */
const sizes = [1, 1, 1, 2, 3, 5, 8, 20];
/** Of so many people one takes a letter back right after writing. */
const regret = 25;

export function startWriting({ url, vault, letters, seed, mayWrite }: Options): Crowd {
  const random = seeded(seed);
  const database = openDatabase(url, 4);
  const hint = createHint(database);
  const takenBack = { note: async () => {}, raise: async () => {} }; // no backup is restored here
  // as createContext does it
  const write = gather((all: Written[]) => writeLetters(database, vault, all), visitorsAtOnce);
  const confirm = gather((tokens: string[]) => confirmLetters(database, vault, tokens), visitorsAtOnce);
  const crowd: Crowd = { promised: new Set(), tries: 0, done: Promise.resolve() };
  let left = letters;
  let next = 0;

  /** A person who gets an error page tries again. */
  async function insist<Result>(work: () => Promise<Result>): Promise<Result> {
    for (let tries = 0; ; tries += 1) {
      try {
        return await work();
      } catch (error) {
        if (tries > 600) throw error;
        crowd.tries += 1;
        await pause(100);
      }
    }
  }
  async function visit({ campaign, brands, wording }: Awaited<ReturnType<typeof load>>): Promise<void> {
    while (left > 0) {
      if (!mayWrite()) {
        await pause(20);
        continue;
      }
      const n = next;
      next += 1;
      const size = Math.min(left, pick(sizes, random));
      left -= size;
      const first = Math.floor(random() * brandCount);
      const regrets = random() * regret < 1;
      const picked = Array.from(
        { length: size },
        (_, i) => brands[(first + i) % brandCount] as (typeof brands)[0],
      );
      const submission: Submission = {
        key: submissionKey(vault, `faults ${n}`, [n]),
        campaign,
        brands: picked,
        wording,
        identity: 'counted',
        said: { reasons: ['customer'] },
        address: addressOf(n),
      };
      const tokens = await insist(() => write({ submission, language: 'en' }));
      await insist(() => confirm(tokens.confirm));
      hint();
      const ids = picked.map(({ id }) => messageIdOf(letterHandle(vault, submission.key, id), mailDomain));
      for (const id of ids) crowd.promised.add(id);
      if (!regrets) continue;
      await pause(numberOf(seed, `regret ${n}`) * 300);
      const handle = handleOf(ids[0] as string);
      await insist(() => cancelLetters({ database, vault, takenBack }, tokens.receipt, handle));
    }
  }
  crowd.done = load(database).then(async (campaign) => {
    await Promise.all(Array.from({ length: 24 }, () => visit(campaign)));
    await database.close();
  });
  return crowd;
}

async function load(database: Database) {
  const campaign = await findCampaign(database, slug, mailDomain);
  if (!campaign) throw new Error('the campaign is missing');
  const brands = await brandsOf(database, campaign.id);
  const [wording] = await openWordings(database).newest(campaign.id);
  if (!wording) throw new Error('the wording is missing');
  return { campaign, brands, wording };
}
