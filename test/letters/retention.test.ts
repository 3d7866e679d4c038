import { describe, expect, it } from '@jest/globals';
import { states } from '../../src/letters/letter.ts';
import { scrub } from '../../src/letters/retention.ts';
import { counting, sum } from '../support/counting.ts';
import { prepareDelivery } from '../support/delivery.ts';
import { makeOlder, putInto, untilStates, type Writer, writeMany } from '../support/letters.ts';
import { wordsOf } from '../support/visitor.ts';

const { instance } = prepareDelivery({ roles: ['web'] });

/** Not nearer than an hour to the end of a day that counts, since days on which clocks are set have 23 or 25 of them. */
const days = (n: number) => `${n * 24} hours`;

const age = (writer: Writer, by: string) => makeOlder(instance, writer, by);
const put = (writer: Writer, state: string, brand?: string) => putInto(instance, writer, state, brand);

const write = async (brands: string[], confirmed = true) =>
  (await writeMany(instance, { people: 1, brands, confirmed }))[0] as Writer;

const counts = () =>
  instance.query(
    'select campaign_id, brand_id, state::text, count(*)::int as n from letter group by 1, 2, 3 order by 1, 2, 3',
  );
const isThere = async ({ receipt }: Writer) => (await instance.visitor().get(receipt)).status === 200;

describe('a letter that nobody confirms', () => {
  it('is kept for seven days, and can be confirmed until then', async () => {
    const writer = await write(['hm', 'nike'], false);
    await age(writer, days(6.9));
    expect(await scrub(instance.context.database)).toMatchObject({ expired: 0 });
    expect((await instance.visitor().post(`/confirm/${writer.confirm}`)).status).toBe(303);
  });

  it('is gone after seven days: its link says so, and nobody is left but a number', async () => {
    const writer = await write(['hm', 'nike'], false);
    const other = await write(['hm'], false);
    await age(writer, days(7.1));
    expect(await scrub(instance.context.database)).toEqual({ expired: 1, forgotten: 0 });
    const page = await instance.visitor().get(`/confirm/${writer.confirm}`);
    expect(page.status).toBe(404);
    expect(wordsOf(page)).toContain('This link no longer works');
    expect((await instance.visitor().post(`/confirm/${writer.confirm}`)).status).toBe(404);
    expect(await instance.query('select count(*)::int as n from advocate')).toEqual([{ n: 1 }]);
    await untilStates(instance, { draft: 1, expired: 2 });
    expect((await instance.visitor().post(`/confirm/${other.confirm}`)).status).toBe(303);
  });
});

describe('a person', () => {
  it('is forgotten 28 days after the end of the last letter, not of the first', async () => {
    const writer = await write(['hm', 'nike']);
    await put(writer, 'accepted', 'hm');
    await put(writer, 'rejected', 'nike');
    await age(writer, days(27));
    await instance.query(
      "update letter set state_at = state_at - interval '40 days' where state = 'accepted'",
    );
    expect(await scrub(instance.context.database)).toEqual({ expired: 0, forgotten: 0 });
    expect(await isThere(writer)).toBe(true);
    await age(writer, days(1.1));
    expect(await scrub(instance.context.database)).toEqual({ expired: 0, forgotten: 1 });
    expect(await isThere(writer)).toBe(false);
  });

  it('is kept for 28 days from that end, however long the letter had waited before', async () => {
    const [sent, cancelled] = [await write(['hm']), await write(['nike'])];
    for (const writer of [sent, cancelled]) await age(writer, days(100));
    await instance.visitor().post(`${cancelled.receipt}/cancel`);
    await instance.startWorker();
    await untilStates(instance, { accepted: 1, cancelled: 1 });
    await scrub(instance.context.database);
    expect(await Promise.all([sent, cancelled].map(isThere))).toEqual([true, true]);
  });

  it('is kept for 28 days from an end that comes after somebody looked whether they may go', async () => {
    const writer = await write(['hm', 'nike']);
    await put(writer, 'accepted', 'hm');
    await age(writer, days(100));
    await scrub(instance.context.database);
    await instance.visitor().post(`${writer.receipt}/cancel`);
    await age(writer, days(27));
    expect(await scrub(instance.context.database)).toEqual({ expired: 0, forgotten: 0 });
    await age(writer, days(1.1));
    expect(await scrub(instance.context.database)).toEqual({ expired: 0, forgotten: 1 });
  });

  it('is forgotten on time although the clock was years ahead when somebody looked', async () => {
    const [done, waiting, ahead] = [await write(['hm']), await write(['nike']), await write(['puma'])];
    await put(done, 'accepted');
    await age(done, days(29));
    await put(ahead, 'accepted'); // at that time
    await age(ahead, '-2 years');
    await instance.query("update advocate set kept_until = now() + interval '3 years'");
    expect(await scrub(instance.context.database)).toEqual({ expired: 0, forgotten: 1 });
    await put(waiting, 'accepted');
    await age(waiting, days(29));
    expect(await scrub(instance.context.database)).toEqual({ expired: 0, forgotten: 1 });
    expect(await isThere(ahead)).toBe(true);
  });

  it('leaves what can be counted and nothing else', async () => {
    const [forgotten, kept] = [await write(['hm', 'nike']), await write(['hm'])];
    await put(forgotten, 'accepted');
    await put(kept, 'accepted');
    await instance.query(
      "update letter set sent_sha256 = sha256('x'), first_tried_at = now(), due_at = now(), bundle_id = 1",
    );
    await age(forgotten, days(29));
    const before = await counts();
    expect((await scrub(instance.context.database)).forgotten).toBe(1);
    expect(await counts()).toEqual(before);

    const left = await instance.query(
      `select message_id, sent_sha256, first_tried_at, due_at, bundle_id, state_at = date_trunc('day', state_at) as to_the_day,
         (select count(*)::int from event where letter_id = letter.id) as events
       from letter where advocate_id is null`,
    );
    const nothing = {
      ...{ message_id: null, sent_sha256: null, first_tried_at: null, due_at: null },
      bundle_id: null,
    };
    expect(left).toEqual(Array(2).fill({ ...nothing, to_the_day: true, events: 0 }));
    expect(await isThere(kept)).toBe(true);
    const [other] = await instance.query<{ message_id: string; events: number }>(
      `select message_id, (select count(*)::int from event where letter_id = letter.id) as events
       from letter where advocate_id is not null`,
    );
    expect(other?.message_id).toMatch(/@outspoken\.example$/);
    expect(other?.events).toBeGreaterThanOrEqual(2);
  });

  it('is kept for as long as a letter is under way, and forgotten in every other state', async () => {
    const writers = new Map<string, Writer>();
    for (const state of states) {
      const writer = await write(['hm', 'nike']);
      await put(writer, 'accepted', 'hm');
      await put(writer, state, 'nike');
      await age(writer, days(100));
      writers.set(state, writer);
    }
    await scrub(instance.context.database);
    const kept: string[] = [];
    for (const [state, writer] of writers) if (await isThere(writer)) kept.push(state);
    expect(kept).toEqual(['draft', 'held', 'ready', 'queued', 'sending', 'deferred']);
    const [row] = await instance.query<{ n: number }>(
      'select count(*)::int as n from letter where advocate_id is not null and message_id is not null',
    );
    expect(row?.n).toBe(2 * kept.length);
  });

  it('is not forgotten twice, and nothing else happens when there is nothing to do', async () => {
    const writer = await write(['hm']);
    await put(writer, 'accepted');
    await age(writer, days(29));
    expect(await scrub(instance.context.database)).toEqual({ expired: 0, forgotten: 1 });
    const before = await counts();
    expect(await scrub(instance.context.database)).toEqual({ expired: 0, forgotten: 0 });
    expect(await counts()).toEqual(before);
  });
});

describe('a crowd of people', () => {
  /** So many more people like those that are there, without letters; so many days old, and not looked at yet. */
  const copy = (people: number, age: number) =>
    instance.query(
      `insert into advocate (campaign_id, submission, created_at, confirmed_at, kept_until, language, identity, data_key,
         key_version, address, said, tokens, confirm_hash, receipt_hash, waiting_hash)
       select campaign_id, hash, at, confirmed_at, at + interval '7 days', language, identity, data_key,
         key_version, address, said, tokens, hash, hash, hash
       from (select * from advocate limit 1) as one, generate_series(1, $1::int) n,
         lateral (select sha256((n || ' ' || $2::int)::text::bytea) as hash,
           now() - $2::int * interval '1 day' - n * interval '1 second' as at) as other`,
      [people, age],
    );

  /** What one scrub does, how many people and letters it looks at, and how many people in one step. */
  async function look() {
    const people = counting(instance.context.database, 'advocate');
    const letters = counting(people.database, 'letter');
    const removed = await scrub(letters.database);
    return {
      ...removed,
      people: sum(people.counts),
      letters: sum(letters.counts),
      step: Math.max(...people.counts),
    };
  }
  const nobody = { expired: 0, forgotten: 0, people: 0, letters: 0, step: 0 };

  it('is looked at once, in steps that are small enough for any number of them, and not before its time again', async () => {
    await scrub(instance.context.database); // plans are made once, while there is nobody, and must be good for millions
    const [writer] = await writeMany(instance, { people: 30, brands: ['hm', 'nike'] });
    await writeMany(instance, { people: 5, brands: ['hm'], confirmed: false });
    expect(await look()).toEqual(nobody);
    await instance.query(
      "update advocate set created_at = created_at - interval '8 days', kept_until = now() where confirmed_at is not null",
    );
    await copy(2500, 20);
    const { people, letters, step, ...removed } = await look();
    expect(removed).toEqual({ expired: 0, forgotten: 0 });
    expect(people).toBeGreaterThanOrEqual(2530);
    expect(people).toBeLessThan(4 * 2530);
    expect(letters).toBeGreaterThanOrEqual(60);
    expect(letters).toBeLessThan(4 * 60);
    expect(step).toBeLessThan(4 * 60);
    expect(await look()).toEqual(nobody);

    await put(writer as Writer, 'accepted');
    await age(writer as Writer, days(29));
    const one = await look();
    expect(one).toMatchObject({ expired: 0, forgotten: 1 });
    expect(one.people).toBeLessThan(10);
    expect(one.letters).toBeLessThan(20);
  });

  it('is forgotten few at a time, however many letters each has written, and all of it', async () => {
    const { rows } = await instance.context.database.pool.query('select slug from brand order by id limit 8');
    const brands = rows.map(({ slug }) => slug as string);
    await writeMany(instance, { people: 130, brands });
    await writeMany(instance, { people: 70, brands, confirmed: false });
    await copy(2500, 29);
    await instance.query('alter table letter disable trigger letter_moves_as_designed');
    await instance.query(`
      with older as (
        update advocate set created_at = created_at - interval '30 days', kept_until = now() - interval '1 day'
      )
      update letter set state = case when state = 'draft' then state else 'accepted' end, state_at = state_at - interval '30 days'`);
    await instance.query('alter table letter enable trigger letter_moves_as_designed');
    const { database, counts } = counting(instance.context.database, 'letter', 'updated');
    expect(await scrub(database)).toEqual({ expired: 70, forgotten: 2630 });
    expect(await instance.query('select count(*)::int as n from advocate')).toEqual([{ n: 0 }]);
    await untilStates(instance, { accepted: 1040, expired: 560 });
    // each letter loses its writer and its traces, and a draft expires before, all three at once
    expect(sum(counts)).toBe(2 * 1040 + 3 * 560);
    expect(Math.max(...counts)).toBeLessThanOrEqual(3 * 50 * brands.length);
  });
});

describe('the count of confirmation mails', () => {
  it('is forgotten a day after the last one', async () => {
    const add = (hash: string, ...ages: string[]) =>
      instance.query(
        `insert into confirmation_cap
         select $1::text::bytea, array(select now() - age::interval from unnest($2::text[]) age)`,
        [hash, ages],
      );
    await add('old', '49 hours', '24 hours 1 minute');
    await add('young', '49 hours', '23 hours 59 minutes');
    await scrub(instance.context.database);
    expect(
      await instance.query("select convert_from(address_fingerprint, 'utf8') as hash from confirmation_cap"),
    ).toEqual([{ hash: 'young' }]);
  });
});
