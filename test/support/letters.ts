import { randomBytes } from 'node:crypto';
import { brandsOf, findCampaign } from '../../src/campaigns/campaign-store.ts';
import { fingerprintKeyPlace } from '../../src/campaigns/fingerprint.ts';
import type { Condition } from '../../src/letters/roll-call.ts';
import { submissionKey } from '../../src/letters/submission.ts';
import { mailboxMark } from '../../src/people/confirmation-cap.ts';
import { lettersOn, until } from './advocate.ts';
import type { Instance } from './instance.ts';
import type { Caught, TestSmtp } from './smtp.ts';

/** A person whose letters are on their way; `receipt` is the path of their private page. */
export type Writer = { address: string; confirm: string; receipt: string };

type Crowd = { people: number; brands: string[]; campaign?: string; confirmed?: boolean; address?: string };

/**
 * Letters of many people, stored and confirmed as the web role does it, but without a form each: the limits
 * on forms are there to stop exactly this. Nobody gets a confirmation mail, so that all mail is letters.
 * With an address, all are from one mailbox.
 */
export async function writeMany(
  { context }: Instance,
  { people, brands, campaign: slug = 'speak-out-for-central', confirmed = true, address: mailbox }: Crowd,
): Promise<Writer[]> {
  const { database, vault, wordings, config, hint } = context;
  const campaign = await findCampaign(database, slug, config.mailDomain);
  if (!campaign) throw new Error(`there is no campaign ${slug}`);
  const known = await brandsOf(database, campaign.id);
  const picked = known.filter((brand) => brands.includes(brand.slug));
  if (picked.length !== brands.length) throw new Error('a brand is not of this campaign');
  const wording = (await wordings.newest(campaign.id)).find(({ language }) => language === 'en');
  if (!wording) throw new Error('there is no English wording');

  const crowd = randomBytes(4).toString('hex');
  const addresses = Array.from({ length: people }, (_, n) => mailbox ?? `person-${n}-${crowd}@mail.example`);
  await database.pool.query(
    'insert into confirmation_cap select unnest($1::bytea[]), array[now(), now(), now()] on conflict do nothing',
    [addresses.map((address) => mailboxMark(vault, address))],
  );
  const writers: Writer[] = [];
  const waiting = [...addresses];
  const write = async () => {
    for (let address = waiting.shift(); address; address = waiting.shift()) {
      const submission = {
        key: submissionKey(vault, randomBytes(18).toString('base64url'), address),
        campaign,
        brands: picked,
        wording,
        identity: 'counted' as const,
        said: { reasons: ['customer'] },
        address,
      };
      const { confirm, receipt } = await context.writeLetters({ submission, language: 'en' });
      if (confirmed) await context.confirmLetters(confirm);
      writers.push({ address, confirm, receipt: `/r/${receipt}` });
    }
  };
  await Promise.all(Array.from({ length: 6 }, write));
  if (confirmed) hint();
  return writers;
}

/**
 * The same, and a round of releasing that comes while they are written finds none: so they leave in as few bundles as
 * there can be.
 */
export async function writeTogether(instance: Instance, crowd: Crowd): Promise<Writer[]> {
  const hold = (health: string) =>
    instance.query(
      `update contact set health = $1 from brand where brand.id = brand_id and slug = any ($2::text[])`,
      [health, crowd.brands],
    );
  await hold('suspended');
  const writers = await writeMany(instance, crowd);
  await hold('good');
  instance.context.hint();
  return writers;
}

/** A second campaign with brands of its own, `<slug>-1` and so on; the words are those of the first. */
export async function addCampaign({ context, query }: Instance, slug: string, brands = 1): Promise<string[]> {
  const key = context.vault.mintKey(fingerprintKeyPlace(slug));
  await query(
    `insert into campaign (slug, state, texts, fingerprint_key, key_version)
     select $1, 'open', texts, $2, $3 from campaign order by id limit 1`,
    [slug, key.wrapped, key.version],
  );
  const slugs = Array.from({ length: brands }, (_, n) => `${slug}-${n + 1}`);
  await query(
    `with made as (insert into brand (slug, name) select slug, slug from unnest($2::text[]) slug returning id, slug),
     reached as (
       insert into contact (brand_id, kind, address)
       select id, 'email', 'human-rights@' || slug || '.example' from made
       returning id, brand_id
     )
     insert into campaign_brand (campaign_id, brand_id, contact_id, position, lists)
     select campaign.id, brand_id, reached.id, brand_id, (select lists from campaign_brand limit 1)
     from reached, campaign where campaign.slug = $1`,
    [slug, slugs],
  );
  await query(
    `insert into wording (campaign_id, language, version, sender, subject, body, passages)
     select (select id from campaign where slug = $1), language, 1, sender, subject, body, passages
     from wording where language = 'en' order by id limit 1`,
    [slug],
  );
  return slugs;
}

/** Changes a brand's contact; `change` is what a statement sets. */
export async function setContact(
  { query }: Pick<Instance, 'query'>,
  brand: string,
  change: string,
): Promise<void> {
  await query(`update contact set ${change} from brand where brand.id = brand_id and slug = '${brand}'`);
}

/** Makes everything about a person older, as if the clock had gone on; `by` is an interval. */
export async function makeOlder(
  { query }: Instance,
  { receipt }: Pick<Writer, 'receipt'>,
  by: string,
): Promise<void> {
  await query(
    `with person as (
       update advocate set created_at = created_at - $2::interval, confirmed_at = confirmed_at - $2::interval,
         kept_until = kept_until - $2::interval
       where receipt_hash = sha256($1::text::bytea) returning id
     )
     update letter set state_at = state_at - $2::interval from person where advocate_id = person.id`,
    [receipt.slice('/r/'.length), by],
  );
}

/** Puts the letters of a person into a state, whatever may lead there. */
export async function putInto(
  { context: { database } }: Instance,
  { receipt }: Writer,
  state: string,
  brand?: string,
): Promise<void> {
  await database.transaction(async ({ rows }) => {
    const run = (text: string, values: unknown[] = []) => rows({ name: '', text }, values);
    await run('alter table letter disable trigger letter_moves_as_designed');
    await run(
      `update letter set state = $2::text::letter_state from advocate, brand
       where advocate.id = advocate_id and brand.id = brand_id and ($3::text is null or brand.slug = $3)
         and receipt_hash = sha256($1::text::bytea)`,
      [receipt.slice('/r/'.length), state, brand ?? null],
    );
    await run('alter table letter enable trigger letter_moves_as_designed');
  });
}

/** How many letters are in each state. */
export async function stateCounts(instance: Pick<Instance, 'query'>): Promise<Record<string, number>> {
  const rows = await instance.query<{ state: string; n: number }>(
    'select state::text, count(*)::int as n from letter group by state',
  );
  return Object.fromEntries(rows.map(({ state, n }) => [state, n]));
}

/** Waits until the letters stand exactly so. */
export async function untilStates(
  instance: Pick<Instance, 'query'>,
  wanted: Record<string, number>,
  patience = 60_000,
): Promise<void> {
  const same = (counts: Record<string, number>) =>
    Object.keys({ ...wanted, ...counts }).every((state) => (counts[state] ?? 0) === (wanted[state] ?? 0));
  let last: Record<string, number> = {};
  await until(
    async () => {
      last = await stateCounts(instance);
      return same(last);
    },
    'states',
    patience,
  ).catch(() => {
    throw new Error(`waited in vain for ${JSON.stringify(wanted)}; the letters are ${JSON.stringify(last)}`);
  });
}

/** Waits until no letter waits or is on its way any more, and says how they stand. */
export async function untilAllEnded(
  instance: Pick<Instance, 'query'>,
  patience = 60_000,
): Promise<Record<string, number>> {
  const underway = ['ready', 'queued', 'sending', 'deferred'];
  let counts: Record<string, number> = {};
  await until(
    async () => {
      counts = await stateCounts(instance);
      return !underway.some((state) => counts[state]);
    },
    'an end of all letters',
    patience,
  ).catch(() => {
    throw new Error(`waited in vain for an end; the letters are ${JSON.stringify(counts)}`);
  });
  return counts;
}

/** Puts off all letters that were released, as if they had been tried for the first time so long ago: due now. */
export async function putOff({ query }: Pick<Instance, 'query'>, firstTried = '0 seconds'): Promise<void> {
  await query('delete from bundle');
  await query("update letter set state = 'sending' where state = 'queued'");
  await query(
    `with put_off as (
       update letter set state = 'deferred', first_tried_at = now() - $1::text::interval, due_at = now()
       where state = 'sending' returning id, campaign_id, brand_id, due_at
     )
     insert into waiting_letter (letter_id, campaign_id, brand_id, due_at, deferred)
     select id, campaign_id, brand_id, due_at, true from put_off`,
    [firstTried],
  );
}

/** Makes letters that are to be tried again later fall due now, and hosts that asked for a break be asked again. */
export async function bringForward({ query }: Pick<Instance, 'query'>): Promise<void> {
  await query(
    `with moved as (
       update waiting_letter set due_at = now() - interval '1 second' where deferred returning letter_id, due_at
     )
     update letter set due_at = moved.due_at from moved where letter.id = moved.letter_id`,
  );
  await query('update receiver set probe_at = now() where probe_at is not null');
}

/**
 * Letters to other brands come and go, one after the other, and their answers are recorded: so the worker had its turn,
 * and what it did not do meanwhile, it does not do.
 */
export async function letOthersPass(instance: Instance, brands: string[]): Promise<void> {
  for (const brand of brands) {
    const [writer] = (await writeMany(instance, { people: 1, brands: [brand] })) as [Writer];
    await untilTheyStand(instance, writer, (states) => states[brand] === 'accepted');
  }
}

/**
 * Waits until the letters of one person stand so, by brand. It is the table that is asked again and again: how often a
 * private page may be opened is limited, which on a slow machine is soon too seldom.
 */
export async function untilTheyStand(
  { query }: Pick<Instance, 'query'>,
  { receipt }: Pick<Writer, 'receipt'>,
  wanted: (states: Record<string, string>) => boolean,
): Promise<void> {
  let last: Record<string, string> = {};
  await until(async () => {
    const rows = await query<{ slug: string; state: string }>(
      `select slug, state::text from letter
         join brand on brand.id = brand_id join advocate on advocate.id = advocate_id
         where receipt_hash = sha256($1::text::bytea)`,
      [receipt.slice('/r/'.length)],
    );
    last = Object.fromEntries(rows.map(({ slug, state }) => [slug, state]));
    return wanted(last);
  }).catch(() => {
    throw new Error(`waited in vain for somebody's letters; they are ${JSON.stringify(last)}`);
  });
}

/** How the letters of one person stand, by brand, as their private page says. */
export async function statesOf(instance: Instance, writer: Writer): Promise<Record<string, string>> {
  const page = await instance.visitor().get(writer.receipt);
  return Object.fromEntries(lettersOn(page).map(({ brand, state }) => [brand, state]));
}

/** The letters among the messages: their Return-Path is a letter's (`b.`), a notice's is not. */
export function lettersAmong(messages: readonly Caught[]): Caught[] {
  return messages.filter(({ from }) => from.startsWith('b.'));
}

/** The letters to one brand among the messages. */
export function lettersTo(brand: string, messages: readonly Caught[]): Caught[] {
  return lettersAmong(messages).filter(({ to }) => to[0] === addressOf(brand));
}

export function messageIdOf({ raw }: Pick<Caught, 'raw'>): string {
  return /^Message-ID:\s*<([^>]+)>/im.exec(raw.toString('latin1'))?.[1] ?? '';
}

/** How often each letter was handed over to the mail server in full, by Message-ID. */
function timesHandedOver(smtp: TestSmtp): Map<string, number> {
  const times = new Map<string, number>();
  for (const message of lettersAmong(smtp.handedOver)) {
    times.set(messageIdOf(message), (times.get(messageIdOf(message)) ?? 0) + 1);
  }
  return times;
}

/** Message-IDs that were handed over more than once. */
export function sentTwice(smtp: TestSmtp): string[] {
  return [...timesHandedOver(smtp)].filter(([, times]) => times > 1).map(([id]) => id);
}

/** The Message-IDs of all letters that are in a state. */
export async function messageIdsIn({ query }: Pick<Instance, 'query'>, state: string): Promise<string[]> {
  const rows = await query<{ message_id: string }>(
    'select message_id from letter where state::text = $1 order by message_id',
    [state],
  );
  return rows.map(({ message_id }) => message_id);
}

/** Something that others wait for until it is opened. */
export function gate(): { opened: Promise<void>; open(): void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}

export const addressOf = (brand: string) => `human-rights@${brand}.example`;

/** What a worker says of itself that has nothing to do, and lacks nothing. */
export const atRest: Condition = {
  inTheAir: 0,
  quietFor: 0,
  queueIsLost: false,
  markIsLost: false,
  relaysAreLost: false,
  stuckFor: 0,
};

/** For sweeps by hand: no worker keeps logbooks in their data folder, nor is one waited for that may have them. */
export const noLogbooks = {
  logbooks: { takeOver: () => undefined, discard: () => {} },
  hasWaited: () => true,
};

/** For letters that are sent by hand, without a worker and its data folder: a database that is as new as it says. */
export const unmarked = { cover: async () => 0 };
