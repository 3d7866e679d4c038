import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { until } from '../support/advocate.ts';
import { type Cable, layCableTo } from '../support/cable.ts';
import { cloneDatabase } from '../support/database.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { sentTwice, stateCounts, writeMany } from '../support/letters.ts';
import { describeOnEachQueue } from '../support/queues.ts';
import { untilReadiness } from '../support/readiness.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

const brands = ['hm', 'inditex', 'nike', 'c-and-a', 'adidas'];

/** Where nothing says that a connection is dead, answers have to be missed first, more than one after the other. */
const inTime = 120_000;

describeOnEachQueue('PostgreSQL behind a network', (queue) => {
  let database: Awaited<ReturnType<typeof cloneDatabase>>;
  let cable: Cable;
  let smtp: TestSmtp;
  let instance: Instance;
  beforeEach(async () => {
    database = await cloneDatabase();
    smtp = await startSmtp();
    const laid = await layCableTo(database.url);
    cable = laid;
    instance = await startInstance({ ...queue(), smtpUrl: smtp.url, databaseUrl: laid.url });
  }, 60_000);
  afterEach(async () => {
    await instance.close();
    await smtp.close();
    await cable.close();
    await database.drop();
  }, 90_000);

  it('is worked with again, once every connection has died in silence and new ones work', async () => {
    await writeMany(instance, { people: 20, brands });
    await until(async () => smtp.handedOver.length > 20, 'letters in the air');
    cable.freeze();
    await until(async () => (await accepted()) === 100, 'all letters', inTime);
    await writeMany(instance, { people: 2, brands });
    await until(async () => (await accepted()) === 110, 'more letters', inTime);
    await untilReadiness(instance, ({ status }) => status === 'ok');
    expect(await stateCounts(instance)).toEqual({ accepted: 110 });
    expect(sentTwice(smtp)).toEqual([]);
  }, 300_000);

  const accepted = async () =>
    (await stateCounts(instance).catch(() => ({}) as Record<string, number>)).accepted;
});
