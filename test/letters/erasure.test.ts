import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { statement } from '../../src/db/database.ts';
import { eraseAgain } from '../../src/letters/cancel-letters.ts';
import { scrub } from '../../src/letters/retention.ts';
import { lettersOn, until, writeAndConfirm } from '../support/advocate.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { addressOf, bringForward, gate, lettersAmong, untilStates, writeMany } from '../support/letters.ts';
import { untilSomebodyWaits } from '../support/moments.ts';
import { type Script, startSmtp, type TestSmtp } from '../support/smtp.ts';
import { wordsOf } from '../support/visitor.ts';

let smtp: TestSmtp;
let instance: Instance;
beforeEach(async () => {
  smtp = await startSmtp();
  instance = await startInstance({ smtpUrl: smtp.url });
});
afterEach(async () => {
  await instance.close();
  await smtp.close();
});

const person = {
  identity: 'named',
  name: 'Planted Person',
  country: 'KH',
  words: 'Planted words of my own.',
  email: 'planted.person@mail.example',
  brand: ['hm', 'nike', 'puma'],
};

/** One letter is taken, one refused, one to be tried again. */
const threeAnswers: Script = (moment, { to }) => {
  if (moment !== 'dot') return undefined;
  if (to[0] === addressOf('nike')) return { reply: '550 5.1.1 no such mailbox' };
  return to[0] === addressOf('puma') ? { reply: '451 4.7.1 later' } : undefined;
};

const write = () => writeAndConfirm(smtp, instance.visitor(), person);
const erase = (receipt: string) => instance.visitor().post(`${receipt}/erase`);

/** Every row of every table, as text. */
async function everything(): Promise<string> {
  const tables = await instance.query<{ name: string }>(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
     where table_schema in ('public', 'bullmq') and table_type = 'BASE TABLE'`,
  );
  const rows = await Promise.all(
    tables.map(({ name }) =>
      instance.query<{ row: string }>(`select '${name} ' || t::text as row from ${name} t`),
    ),
  );
  return rows
    .flat()
    .map(({ row }) => row)
    .join('\n');
}

/** What tells this person from others: every column of the row, tokens included, and the names of the letters. */
async function traces(receipt: string): Promise<string[]> {
  const [row] = await instance.query<Record<string, unknown>>('select * from advocate');
  const letters = await instance.query<{ message_id: string; hash: string | null }>(
    "select message_id, encode(sent_sha256, 'hex') as hash from letter",
  );
  return [
    ...Object.values(row ?? {}).flatMap((value) => (Buffer.isBuffer(value) ? [value.toString('hex')] : [])),
    receipt.slice('/r/'.length),
    ...letters.flatMap(({ message_id, hash }) => [
      message_id.split('@')[0] as string,
      ...(hash ? [hash] : []),
    ]),
  ];
}

describe('erasing', () => {
  it('leaves nothing about the person in any table, once no letter is on its way', async () => {
    smtp.script(threeAnswers);
    const receipt = await write();
    await untilStates(instance, { accepted: 1, rejected: 1, deferred: 1 });
    const known = await traces(receipt);
    const before = await everything();
    expect(known.length).toBeGreaterThan(12);
    expect(known.filter((trace) => !before.includes(trace))).toEqual([receipt.slice('/r/'.length)]);

    expect((await erase(receipt)).location).toBe('/erased');
    const after = await everything();
    expect(known.filter((trace) => after.includes(trace))).toEqual([]);
    for (const gone of ['advocate', 'notice', 'event', 'waiting_letter', 'came_back', 'pen'])
      expect(await instance.query(`select * from ${gone}`)).toEqual([]);
    await untilStates(instance, { accepted: 1, rejected: 1, cancelled: 1 });
  });

  it('keeps one mark per letter that was sent, which keeps a second letter from going out, and no other', async () => {
    smtp.script(threeAnswers);
    const receipt = await write();
    await untilStates(instance, { accepted: 1, rejected: 1, deferred: 1 });
    await erase(receipt);
    expect(await instance.query('select count(*)::int as n from letter_fingerprint')).toEqual([{ n: 2 }]);
    smtp.script(undefined);
    const again = await instance.visitor().get(await write());
    expect(lettersOn(again).map(({ brand, state }) => [brand, state === 'cancelled'])).toEqual([
      ['hm', true],
      ['nike', true],
      ['puma', false],
    ]);
  });

  it('keeps the marks of letters that left also when a draft of the same mailbox is erased, back from an old backup', async () => {
    const both = { people: 1, brands: ['hm', 'nike'], address: 'same.person@mail.example' };
    await writeMany(instance, both);
    await untilStates(instance, { accepted: 2 });
    await writeMany(instance, { ...both, confirmed: false });
    const [draft] = await instance.query<{ id: string }>('select max(id)::text as id from advocate');
    await eraseAgain(instance.context, draft?.id ?? '');
    await untilStates(instance, { accepted: 2, cancelled: 2 });
    expect(await instance.query('select count(*)::int as n from letter_fingerprint')).toEqual([{ n: 2 }]);
  });

  it('ends the private page, its letters and its stream, for good', async () => {
    const receipt = await write();
    await untilStates(instance, { accepted: 3 });
    const [letter] = lettersOn(await instance.visitor().get(receipt));
    await erase(receipt);
    for (const path of [
      '',
      '/erase',
      `/letters/${letter?.handle}`,
      `/letters/${letter?.handle}/letter.txt`,
    ]) {
      const page = await instance.visitor().get(`${receipt}${path}`);
      expect(page.status).toBe(404);
      expect(wordsOf(page)).toContain('There is nothing here');
    }
    const stream = await instance.visitor().get(`${receipt}/events`);
    expect(stream.html).toMatch(/^event: gone\ndata: *\n\n$/);
    for (const path of ['/erase', '/cancel', `/letters/${letter?.handle}/cancel`])
      expect((await instance.visitor().post(`${receipt}${path}`)).status).toBe(404);
  });

  it('leaves no traces either while those of many others are still to be removed', async () => {
    await writeMany(instance, { people: 130, brands: ['hm', 'nike'] });
    await untilStates(instance, { accepted: 260 });
    await instance.query('delete from advocate'); // forgotten, and the clock has not come to their letters
    const receipt = await write();
    await untilStates(instance, { accepted: 263 });
    await erase(receipt);
    const left = await instance.query(
      `select message_id, (select count(*)::int from event where letter_id = letter.id) as events
       from letter order by id desc limit 4`,
    );
    const own = { message_id: null, events: 0 };
    expect(left).toEqual([own, own, own, { message_id: expect.any(String), events: 5 }]);
  });

  it("does not touch another person's letters", async () => {
    const [other] = await writeMany(instance, { people: 1, brands: ['hm', 'nike'] });
    const receipt = await write();
    await untilStates(instance, { accepted: 5 });
    await erase(receipt);
    const page = await instance.visitor().get(other?.receipt ?? '');
    expect(lettersOn(page).map(({ state }) => state)).toEqual(['accepted', 'accepted']);
    expect(page.html.match(/data-type="accepted"/g)).toHaveLength(2);
  });

  it('waits for mail about a letter that is being taken, and keeps that from nothing', async () => {
    await instance.query("update contact set health = 'suspended'");
    const receipt = await write();
    const { database } = instance.context;
    const { erased } = await database.transaction(async (transaction) => {
      await transaction.rows(statement('select id from advocate for key share')); // whoever takes it begins so
      const erased = erase(receipt);
      await untilSomebodyWaits(instance);
      expect(await transaction.rows(statement('select id from letter for update'))).toHaveLength(3);
      return { erased };
    });
    expect((await erased).location).toBe('/erased');
    await untilStates(instance, { cancelled: 3 });
  });

  it.each([
    ['taken', undefined, 'accepted'],
    ['refused', '550 5.1.1 no', 'rejected'],
    ['to be tried again', '451 4.7.1 later', 'abandoned'],
  ])(
    'catches up with a letter that was just being handed over, when it is %s',
    async (_how, reply, state) => {
      const hold = gate();
      smtp.script((moment, { to }) => {
        if (to[0] !== addressOf('hm')) return undefined;
        if (moment === 'rcpt') return { until: hold.opened };
        return moment === 'dot' && reply ? { reply } : undefined;
      });
      const receipt = await writeAndConfirm(smtp, instance.visitor(), { ...person, brand: ['hm'] });
      await untilStates(instance, { sending: 1 });
      const known = await traces(receipt);
      await erase(receipt);
      hold.open();
      await until(
        async () => {
          await bringForward(instance);
          return (
            (await instance.query('select state from letter where state::text = $1', [state])).length > 0
          );
        },
        `a letter that is ${state}`,
        60_000,
      );
      expect(lettersAmong(smtp.handedOver)).toHaveLength(1);
      await scrub(instance.context.database);
      const after = await everything();
      expect(known.filter((trace) => after.includes(trace))).toEqual([]);
      expect(await instance.query('select * from event')).toEqual([]);
      expect(await instance.query('select * from waiting_letter')).toEqual([]);
    },
    90_000,
  );
});
