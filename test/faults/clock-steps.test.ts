import { afterEach, beforeEach, expect, it } from '@jest/globals';
import pg from 'pg';
import { until } from '../support/advocate.ts';
import { cloneDatabase } from '../support/database.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { gate, sentTwice, stateCounts, untilStates, writeMany } from '../support/letters.ts';
import { describeOnEachQueue } from '../support/queues.ts';
import { readiness, untilReadiness } from '../support/readiness.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

const brands = ['hm', 'inditex', 'nike', 'c-and-a', 'adidas'];

/**
 * A database whose clock can be set: statements find this `now()` before PostgreSQL's own. What a column has as its
 * default stays with the true clock, so some rows are out of step, which is worse than a clock that only jumps.
 */
const settable = `
  create schema clock;
  create table clock.step (by interval not null);
  insert into clock.step values ('0');
  create function clock.now() returns timestamptz language sql stable
    as 'select pg_catalog.now() + by from clock.step'`;

describeOnEachQueue('when the clock of the database jumps', (queue) => {
  let database: Awaited<ReturnType<typeof cloneDatabase>>;
  let client: pg.Client;
  let smtp: TestSmtp;
  let instance: Instance;
  beforeEach(async () => {
    database = await cloneDatabase();
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await client.query(settable);
    const { rows } = await client.query<{ name: string }>('select current_database() as name');
    await client.query(`alter database "${rows[0]?.name}" set search_path = clock, pg_catalog, public`);
    smtp = await startSmtp();
    instance = await startInstance({ ...queue(), smtpUrl: smtp.url, databaseUrl: database.url });
  }, 60_000);
  afterEach(async () => {
    await instance.close();
    await smtp.close();
    await client.end();
    await database.drop();
  }, 60_000);

  const step = (by: string) => client.query('update clock.step set by = by + $1::interval', [by]);
  const truly = async () => {
    const [row] = await instance.query<{ ahead: number }>(
      'select round(extract(epoch from now() - pg_catalog.now()) / 3600)::int as ahead',
    );
    return row?.ahead;
  };

  it('forwards by hours, in mid-campaign, no worker is taken for dead, and every letter leaves once', async () => {
    const held = gate();
    smtp.script((moment) => (moment === 'dot' ? { until: held.opened } : undefined));
    await writeMany(instance, { people: 20, brands });
    await until(async () => smtp.handedOver.length >= 10, 'letters in the air');
    await step('5 hours');
    expect(await truly()).toBe(5);
    await rounds();
    expect((await stateCounts(instance)).unknown).toBeUndefined();
    held.open();
    await untilStates(instance, { accepted: 100 });
    expect(sentTwice(smtp)).toEqual([]);
    await untilReadiness(instance, ({ status }) => status === 'ok');
  }, 120_000);

  it('backwards by hours, what is new leaves at once, and what was due leaves when that time has come again', async () => {
    await instance.query("update contact set health = 'suspended' where address like '%@nike.example'");
    await writeMany(instance, { people: 3, brands });
    await untilStates(instance, { accepted: 12, ready: 3 });
    await step('-5 hours');
    expect(await truly()).toBe(-5);
    await instance.query("update contact set health = 'good'");
    await writeMany(instance, { people: 2, brands });
    await until(async () => ((await stateCounts(instance)).accepted ?? 0) >= 12 + 8, 'new letters', 60_000);
    expect((await stateCounts(instance)).unknown).toBeUndefined();
    expect((await readiness(instance)).code).toBe(200);

    await step('5 hours');
    await untilStates(instance, { accepted: 25 }, 60_000);
    expect(sentTwice(smtp)).toEqual([]);
  }, 120_000);

  /** The roll is called and the sweep is made every two seconds. */
  const rounds = () => new Promise((resolve) => setTimeout(resolve, 5000));
});
