import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Database } from '../../src/db/database.ts';
import { type Penned, putIntoPen } from '../../src/inbound/pen.ts';
import { cancelLetters, eraseAdvocate } from '../../src/letters/cancel-letters.ts';
import { confirmLetters } from '../../src/letters/confirm-letters.ts';
import { releaseLetters } from '../../src/letters/release-letters.ts';
import { expireDrafts, scrub } from '../../src/letters/retention.ts';
import { returnOutOfHours } from '../../src/letters/sweep.ts';
import { resolveUnknown } from '../../src/letters/unknown-letters.ts';
import { lettersOn, writeLetters as writeByForm } from '../support/advocate.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { makeOlder, putInto, stateCounts, statesOf, type Writer, writeMany } from '../support/letters.ts';
import { besides, untilSomebodyWaits, whileItWaits } from '../support/moments.ts';
import { wordsOf } from '../support/visitor.ts';

let instance: Instance;
beforeEach(async () => {
  instance = await startInstance({ roles: ['web'] });
});
afterEach(() => instance.close());

const write = async (crowd: Partial<Parameters<typeof writeMany>[1]> = {}) =>
  (await writeMany(instance, { people: 1, brands: ['hm', 'nike'], ...crowd }))[0] as Writer;

const tokenOf = ({ receipt }: Writer) => receipt.slice('/r/'.length);
const isThere = async ({ receipt }: Writer) => (await instance.visitor().get(receipt)).status === 200;
const line = () => instance.query('select 1 from waiting_letter');

const erase = (database: Database, writer: Writer) =>
  eraseAdvocate({ ...instance.context, database }, tokenOf(writer));

/** Without a writer: everybody. */
async function letExpire(database: Database, writer?: Writer): Promise<void> {
  const rows = await instance.query<{ id: string }>(
    'select id::text from advocate where $1::text is null or receipt_hash = sha256($1::text::bytea)',
    [writer && tokenOf(writer)],
  );
  await database.transaction((transaction) =>
    expireDrafts(
      transaction,
      rows.map(({ id }) => id),
    ),
  );
}

/** Their letters go when they write once more: nothing says that they wrote before. */
async function expectToBeNew({ address }: Writer): Promise<void> {
  const again = await write({ address });
  expect(await statesOf(instance, again)).toEqual({ hm: 'ready', nike: 'ready' });
}

type Going = (database: Database, writer: Writer) => Promise<unknown>;

describe.each<[string, Going]>([
  ['expires', letExpire],
  ['is erased', erase],
])('whoever confirms in the moment in which their submission %s', (_how, goAway) => {
  it('is told that the link no longer works, and can write again', async () => {
    const writer = await write({ confirmed: false });
    const [, page] = await whileItWaits(
      instance,
      (held) => goAway(held, writer),
      () => instance.visitor().post(`/confirm/${writer.confirm}`),
    );
    expect(page.status).toBe(404);
    expect(wordsOf(page)).toContain('This link no longer works');
    expect(await line()).toEqual([]);
    expect(await instance.query('select 1 from letter_fingerprint')).toEqual([]);
    await expectToBeNew(writer);
  });

  it('keeps nobody from confirming who does so in the same statement', async () => {
    const { database, vault } = instance.context;
    const [before, writer, after] = [
      await write({ confirmed: false }),
      await write({ confirmed: false }),
      await write({ confirmed: false }),
    ];
    const [, confirmed] = await whileItWaits(
      instance,
      (held) => goAway(held, writer),
      () =>
        confirmLetters(
          database,
          vault,
          [after, writer, before].map(({ confirm }) => confirm),
        ),
    );
    expect(confirmed).toEqual([
      { kind: 'confirmed', receipt: tokenOf(after) },
      { kind: 'unknown link' },
      { kind: 'confirmed', receipt: tokenOf(before) },
    ]);
    for (const other of [before, after])
      expect(await statesOf(instance, other)).toEqual({ hm: 'ready', nike: 'ready' });
    expect(await line()).toHaveLength(4);
    await expectToBeNew(writer);
  });
});

it('whoever asks for the mail once more in the moment in which it expires finds nothing there any more', async () => {
  const visitor = instance.visitor();
  const waiting = await writeByForm(visitor);
  await instance.query("update notice set state = 'accepted'");
  const [, answer] = await whileItWaits(
    instance,
    (held) => letExpire(held),
    () => visitor.post(`${waiting}/again`),
  );
  expect(answer.status).toBe(303);
  expect((await visitor.get(answer.location)).status).toBe(404);
});

it('a second press on the button, held up until the letters were taken back, leaves no mark of them', async () => {
  const { context } = instance;
  const { database, vault } = context;
  const writer = await write({ confirmed: false });
  const { second, cancelled } = await database.transaction(async (transaction) => {
    await confirmLetters(transaction, vault, [writer.confirm]);
    const second = confirmLetters(database, vault, [writer.confirm]);
    await untilSomebodyWaits(instance);
    const within: Database = { ...database, transaction: (work) => work(transaction) };
    const cancelled = await cancelLetters({ ...context, database: within }, tokenOf(writer));
    return { second, cancelled };
  });
  expect(cancelled).toBe(2);
  expect(await second).toEqual([{ kind: 'confirmed', receipt: tokenOf(writer) }]);
  expect(await statesOf(instance, writer)).toEqual({ hm: 'cancelled', nike: 'cancelled' });
  await expectToBeNew(writer);
});

it('a letter that is cancelled in the moment in which it goes back into its place leaves the line', async () => {
  const { context, query } = instance;
  const writer = await write();
  await releaseLetters(context.database);
  await query(`update contact set sends_from = (now() at time zone 'UTC')::time + interval '1 hour',
    sends_until = (now() at time zone 'UTC')::time + interval '2 hours'`);
  const [, cancelled] = await whileItWaits(
    instance,
    (held) => held.transaction(returnOutOfHours),
    () => cancelLetters(context, tokenOf(writer)),
  );
  expect(cancelled).toBe(2);
  expect(await stateCounts(instance)).toEqual({ cancelled: 2 });
  expect(await line()).toEqual([]);
});

/** Nobody knows of this letter whether it arrived, and its writer is due to be forgotten. */
async function writeUnknown(): Promise<{ writer: Writer; id: string }> {
  const writer = await write({ brands: ['hm'] });
  await putInto(instance, writer, 'unknown');
  await instance.query('delete from waiting_letter');
  await makeOlder(instance, writer, '29 days');
  const [letter] = await instance.query<{ id: string }>('select max(id)::text as id from letter');
  return { writer, id: letter?.id ?? '' };
}

it.each<[string, Going]>([
  ['forgotten', scrub],
  ['erased', erase],
])('what staff find out about a letter leaves nothing behind once its writer is %s', async (_how, goAway) => {
  const { writer, id } = await writeUnknown();
  const find = () =>
    resolveUnknown(instance.context.database, [{ id, accepted: true, response: 'told on the telephone' }]);
  await whileItWaits(instance, (held) => goAway(held, writer), find);
  await scrub(instance.context.database);
  expect(await find()).toEqual({ accepted: 0, resent: 0 });
  expect(await instance.query('select 1 from event')).toEqual([]);
});

describe('a letter that is sent again', () => {
  const sendAgain = (database: Database, id: string) =>
    database.transaction((transaction) => resolveUnknown(transaction, [{ id, accepted: false }]));

  it.each<[string, Going]>([
    ['forgotten', scrub],
    ['erased', erase],
  ])('while its writer is being %s stays as it is', async (_how, goAway) => {
    const { writer, id } = await writeUnknown();
    const [, sent] = await whileItWaits(
      instance,
      (held) => goAway(held, writer),
      () => sendAgain(instance.context.database, id),
    );
    expect(sent).toEqual({ accepted: 0, resent: 0 });
    expect(await isThere(writer)).toBe(false);
    expect(await stateCounts(instance)).toEqual({ unknown: 1 });
    expect(await line()).toEqual([]);
  });

  it('keeps its writer from being forgotten, also while that is not written down yet', async () => {
    const { writer, id } = await writeUnknown();
    const [sent, forgotten] = await besides(
      instance,
      (held) => sendAgain(held, id),
      () => scrub(instance.context.database),
    );
    expect(sent).toEqual({ accepted: 0, resent: 1 });
    expect(forgotten).toEqual({ expired: 0, forgotten: 0 });
    expect(await statesOf(instance, writer)).toEqual({ hm: 'ready' });
    expect(await line()).toHaveLength(1);
  });

  it('is taken back when its writer is erased while that is not written down yet', async () => {
    const { writer, id } = await writeUnknown();
    const [sent, erased] = await whileItWaits(
      instance,
      (held) => sendAgain(held, id),
      () => erase(instance.context.database, writer),
    );
    expect(sent).toEqual({ accepted: 0, resent: 1 });
    expect(erased).toBe(true);
    expect(await stateCounts(instance)).toEqual({ cancelled: 1 });
    expect(await line()).toEqual([]);
  });
});

describe('mail about a letter that no rule could place', () => {
  let writer: Writer;
  let keep: (database: Database) => Promise<Penned>;
  beforeEach(async () => {
    writer = await write({ brands: ['hm'] });
    await putInto(instance, writer, 'accepted');
    const { handle } = lettersOn(await instance.visitor().get(writer.receipt))[0] ?? { handle: '' };
    const { vault, config } = instance.context;
    const mail = {
      reason: 'unsigned address',
      raw: Buffer.from('Hello'),
      digest: Buffer.alloc(32),
      handle,
    } as const;
    keep = (database) =>
      database.transaction((transaction) =>
        putIntoPen({ database: transaction, vault, mailDomain: config.mailDomain }, mail),
      );
  });
  const pen = () => instance.query('select 1 from pen');

  it('goes with its writer, who is erased while it is being kept', async () => {
    const [kept] = await whileItWaits(instance, keep, () => erase(instance.context.database, writer));
    expect(kept.kind).toBe('penned');
    expect(await pen()).toEqual([]);
  });

  it('is not kept when its writer is being erased', async () => {
    await whileItWaits(
      instance,
      (held) => erase(held, writer),
      () => keep(instance.context.database),
    );
    expect(await pen()).toEqual([]);
  });
});
