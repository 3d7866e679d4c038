import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { until } from '../support/advocate.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { addressOf, gate, lettersAmong, messageIdOf, untilStates, writeMany } from '../support/letters.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

let smtp: TestSmtp;
let instance: Instance;
let locker: pg.Client;
const first = gate();
const others = gate();
beforeAll(async () => {
  smtp = await startSmtp();
  instance = await startInstance({ smtpUrl: smtp.url });
  locker = new pg.Client({ connectionString: instance.context.databaseUrl });
  await locker.connect();
});
afterAll(async () => {
  for (const held of [first, others]) held.open();
  await locker.query('rollback');
  await locker.end();
  await instance.close();
  await smtp.close();
});

describe('a worker', () => {
  it('never has more than ten letters that its death would leave unknown, though one lets another pass', async () => {
    let answered = '';
    let sendingWhenPassed: number | undefined;
    smtp.script((moment, { to, raw }) => {
      if (moment !== 'dot') return undefined;
      if (to[0] === addressOf('nike')) return { until: sending().then((n) => (sendingWhenPassed = n)) };
      answered ||= messageIdOf({ raw: raw as Buffer });
      return { until: messageIdOf({ raw: raw as Buffer }) === answered ? first.opened : others.opened };
    });
    await writeMany(instance, { people: 30, brands: ['hm'] });
    await until(async () => lettersAmong(smtp.handedOver).length === 10, 'ten letters in the air', 60_000);

    // one letter is answered, and it takes a while to write that down: nobody may have its place before
    await locker.query('begin');
    await locker.query('select from letter where message_id = $1 for update', [answered]);
    await writeMany(instance, { people: 1, brands: ['nike'] });
    await until(async () => (await taken()) === 2, 'a worker that wants to send the second one', 60_000);
    first.open();
    await until(async () => (await waiting()) > 0, 'an answer that waits to be written down', 60_000);
    await new Promise((resolve) => setTimeout(resolve, 500)); // what should not pass had time to
    await locker.query('commit');
    await until(async () => sendingWhenPassed !== undefined, 'the single letter, before the launch', 60_000);
    expect(sendingWhenPassed).toBeLessThanOrEqual(10);

    others.open();
    await untilStates(instance, { accepted: 31 });
  }, 120_000);
});

const count = async (text: string) => (await instance.query<{ n: number }>(text))[0]?.n ?? 0;
const sending = () => count("select count(*)::int as n from letter where state = 'sending'");
const taken = () => count('select count(*)::int as n from bundle where worker_id is not null');
const waiting = () =>
  count(
    "select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
  );
