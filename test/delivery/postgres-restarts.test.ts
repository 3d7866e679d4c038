import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { until } from '../support/advocate.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { lettersAmong, messageIdOf, messageIdsIn, untilAllEnded, writeMany } from '../support/letters.ts';
import { type PostgresServer, startOwnPostgres } from '../support/postgres.ts';
import { describeOnEachQueue } from '../support/queues.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

const brands = ['hm', 'inditex', 'nike', 'c-and-a', 'adidas', 'american-eagle', 'asics', 'gap'];

describeOnEachQueue('a PostgreSQL that is restarted under load', (queue) => {
  let postgres: PostgresServer;
  let smtp: TestSmtp;
  let instance: Instance;
  beforeEach(async () => {
    postgres = await startOwnPostgres();
    smtp = await startSmtp();
    instance = await startInstance({ ...queue(), smtpUrl: smtp.url, databaseUrl: postgres.url });
  }, 60_000);
  afterEach(async () => {
    await instance.close();
    await postgres.close();
    await smtp.close();
  }, 60_000);
  const idsHandedOver = () => lettersAmong(smtp.handedOver).map(messageIdOf).sort();

  it('costs no letter and sends none twice; the worker resumes by itself', async () => {
    smtp.script((moment) => (moment === 'dot' ? { wait: 20 } : undefined));
    const kills = ['SIGKILL', 'SIGINT', 'SIGKILL'] as const;
    await writeMany(instance, { people: 100, brands });
    for (const [n, signal] of kills.entries()) {
      const enough = idsHandedOver().length + 60;
      await until(async () => idsHandedOver().length >= enough, `letters before kill ${n + 1}`, 60_000);
      await postgres.end(signal);
      // what is in the air lands while there is nowhere to write it down
      await new Promise((resolve) => setTimeout(resolve, 300));
      await postgres.start();
    }
    expect(idsHandedOver().length).toBeLessThan(100 * brands.length);

    // the worker lived, so whatever it saw on the wire reached the database in the end
    expect(await untilAllEnded(instance, 90_000)).toEqual({ accepted: 100 * brands.length });
    expect(idsHandedOver()).toEqual(await messageIdsIn(instance, 'accepted'));

    await writeMany(instance, { people: 2, brands });
    expect(await untilAllEnded(instance)).toEqual({ accepted: 102 * brands.length });
  }, 240_000);
});
