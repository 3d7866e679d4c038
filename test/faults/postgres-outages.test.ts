import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { type Postgres, preparePostgres } from '../../bench/faults/postgres.ts';
import { makeTemporaryFolder } from '../../src/embedded/temporary-folder.ts';
import { campaignPath, letterFields, until } from '../support/advocate.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import {
  gate,
  lettersAmong,
  messageIdOf,
  messageIdsIn,
  sentTwice,
  stateCounts,
  writeMany,
} from '../support/letters.ts';
import { describeOnEachQueue } from '../support/queues.ts';
import { untilReadiness } from '../support/readiness.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

const brands = ['hm', 'inditex', 'nike', 'c-and-a', 'adidas'];

/** Workers shall be at work ten seconds after PostgreSQL is back; a machine that is busy gets more. */
const soon = 60_000;

describeOnEachQueue('an outage of PostgreSQL', (queue) => {
  let folder: string;
  let postgres: Postgres;
  let smtp: TestSmtp;
  let instance: Instance;
  beforeEach(async () => {
    folder = await makeTemporaryFolder('outage');
    postgres = await preparePostgres(folder);
    await postgres.start();
    smtp = await startSmtp();
    instance = await startInstance({
      ...queue(),
      smtpUrl: smtp.url,
      databaseUrl: postgres.url,
      settings: { trustProxy: 1 },
    });
  }, 60_000);
  afterEach(async () => {
    postgres.thaw();
    if (!postgres.isUp()) await postgres.start();
    await instance.close();
    await smtp.close();
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  }, 90_000);

  it('in which it is killed under load loses no letter that was promised, and sends none twice', async () => {
    await writeMany(instance, { people: 20, brands });
    const held = gate();
    smtp.script((moment) => (moment === 'dot' ? { until: held.opened } : undefined));
    await until(async () => smtp.handedOver.length > 0, 'letters in the air');

    const forms = sendForms(instance);
    await postgres.kill(true);
    held.open(); // the answers come while nobody can write them down
    await untilReadiness(instance, ({ code }) => code === 503);
    await until(async () => forms.answers.includes(503), 'a form that is refused', soon);
    await postgres.start();
    await untilReadiness(instance, ({ code }) => code === 200);
    await until(async () => forms.answers.at(-1) === 303, 'a form that is taken', soon);
    await forms.stop();

    expect(new Set(forms.answers)).toEqual(new Set([303, 503]));
    const stored = forms.answers.filter((status) => status === 303).length;
    await until(async () => (await stateCounts(instance)).accepted === 100, 'all letters', soon);
    expect((await stateCounts(instance)).draft).toBeGreaterThanOrEqual(stored);
    expect(await stateCounts(instance)).toEqual({ accepted: 100, draft: expect.any(Number) });
    expect(sentTwice(smtp)).toEqual([]);
    expect(lettersAmong(smtp.accepted).map(messageIdOf).sort()).toEqual(
      await messageIdsIn(instance, 'accepted'),
    );
  }, 200_000);

  it('in which it keeps its connections and says nothing makes nobody wait for ever', async () => {
    await writeMany(instance, { people: 20, brands });
    await until(async () => smtp.handedOver.length > 20, 'letters in the air');
    postgres.freeze();
    const said = await untilReadiness(instance, ({ code }) => code === 503);
    expect(said.parts.database?.reason).toBe('it does not answer');
    const page = await instance.visitor().post(`${campaignPath}/letters`, letterFields());
    expect(page.status).toBe(503);
    await new Promise((resolve) => setTimeout(resolve, 12_000)); // now all statements were given up
    postgres.thaw();
    // besides, there may be the draft of the form that was refused: its answer was lost, and the person sends it again
    const letters = async () => {
      const { draft: _, ...others } = await stateCounts(instance);
      return others;
    };
    await until(async () => (await letters().catch(() => undefined))?.accepted === 100, 'all letters', soon);
    expect(await letters()).toEqual({ accepted: 100 });
    expect(sentTwice(smtp)).toEqual([]);
  }, 200_000);
});

/** People who send forms, one after the other, each from an address of their own. */
function sendForms(instance: Instance): { answers: number[]; stop(): Promise<void> } {
  const answers: number[] = [];
  let stopped = false;
  const sending = (async () => {
    for (let n = 0; !stopped; n += 1) {
      const visitor = instance.visitor();
      visitor.headers = { 'X-Forwarded-For': `198.51.100.${n % 250}` };
      const page = await visitor.post(
        `${campaignPath}/letters`,
        letterFields({ email: `form-${n}@mail.example` }),
      );
      answers.push(page.status);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  })();
  return {
    answers,
    async stop() {
      stopped = true;
      await sending;
    },
  };
}
