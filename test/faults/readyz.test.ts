import { afterEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { readCondition } from '../../src/letters/condition.ts';
import { releaseLetters } from '../../src/letters/release-letters.ts';
import { beatWorker, enlistWorker, type Condition as WorkerCondition } from '../../src/letters/roll-call.ts';
import { campaignPath, letterFields, until, writeLetters } from '../support/advocate.ts';
import { layCableTo } from '../support/cable.ts';
import { cloneDatabase } from '../support/database.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { atRest, gate, lettersAmong, untilStates, writeMany } from '../support/letters.ts';
import { type Program, startProgram, variablesFor } from '../support/program.ts';
import { readiness, untilReadiness } from '../support/readiness.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

const open: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
}, 60_000);

/** A web role, and a worker that runs apart from it as a process of its own. */
async function startApart(smtp: TestSmtp): Promise<{ web: Instance; worker: Program }> {
  const web = await startInstance({ roles: ['web'], smtpUrl: smtp.url });
  open.push(() => web.close());
  const worker = await startProgram(variablesFor(web, smtp.url), { args: ['--role', 'worker'] });
  open.push(async () => {
    worker.child.kill('SIGCONT');
    worker.child.kill('SIGKILL');
    await worker.ended;
  });
  return { web, worker };
}

async function aMailServer(): Promise<TestSmtp> {
  const smtp = await startSmtp();
  open.push(() => smtp.close());
  return smtp;
}

describe('/readyz', () => {
  it('says that all is well, part by part', async () => {
    const instance = await startInstance();
    open.push(() => instance.close());
    const well = { status: 'ok' };
    expect(await untilReadiness(instance, ({ status }) => status === 'ok')).toEqual({
      code: 200,
      status: 'ok',
      parts: { database: well, sending: well, workers: well, queue: well, mail: well },
    });
  });

  it('says that nobody works, as long as no worker runs, and takes letters all the same', async () => {
    const smtp = await aMailServer();
    const { web, worker } = await startApart(smtp);
    expect((await untilReadiness(web, ({ status }) => status === 'ok')).code).toBe(200);

    expect(await worker.stop()).toBe(0);
    expect(await readiness(web)).toMatchObject({
      code: 200,
      status: 'degraded',
      parts: {
        workers: { status: 'degraded', reason: 'no worker is running: letters are stored, and wait' },
      },
    });
    const sent = await web.visitor().post(`${campaignPath}/letters`, letterFields());
    expect(sent.status).toBe(303);
  }, 90_000);

  it('reports a worker that was killed, and one whose process is stuck', async () => {
    const { web, worker } = await startApart(await aMailServer());
    await untilReadiness(web, ({ status }) => status === 'ok');
    worker.child.kill('SIGSTOP');
    const stuck = await untilReadiness(web, ({ parts }) => parts.workers?.status === 'degraded');
    expect(stuck).toMatchObject({
      code: 200,
      parts: { workers: { reason: /^worker \d+ has said nothing for \d+ seconds$/ } },
    });

    worker.child.kill('SIGCONT');
    await untilReadiness(web, ({ status }) => status === 'ok');
    worker.child.kill('SIGKILL');
    await untilReadiness(web, ({ parts }) => parts.workers?.status === 'degraded');
  }, 150_000);

  it('reports a worker that holds its connections while the mail server never answers', async () => {
    const smtp = await aMailServer();
    const silent = gate();
    smtp.script((moment) => (moment === 'dot' ? { until: silent.opened } : undefined));
    const { web } = await startApart(smtp);
    await writeMany(web, { people: 12, brands: ['hm'] });
    await until(async () => lettersAmong(smtp.handedOver).length === 10, 'ten letters in the air', 60_000);
    const said = await untilReadiness(web, ({ parts }) => parts.mail?.status === 'degraded');
    expect(said).toMatchObject({
      code: 200,
      parts: {
        workers: { status: 'ok' },
        mail: {
          reason: expect.stringMatching(/has 10 messages with mail servers, and no answer for \d+ seconds$/),
        },
      },
    });

    silent.open();
    await untilStates(web, { accepted: 12 });
    await untilReadiness(web, ({ status }) => status === 'ok');
  }, 150_000);
});

describe('/readyz, when letters are with a mail server that never answers, and other mail is answered,', () => {
  it('reports it all the same', async () => {
    const smtp = await aMailServer();
    const silent = gate();
    smtp.script((moment, details) => {
      if (moment === 'dot' && /^Reply-To: r\./im.test(details.raw?.toString('latin1') ?? ''))
        return { until: silent.opened };
      return undefined;
    });
    const instance = await startInstance({ smtpUrl: smtp.url });
    open.push(() => instance.close());
    await writeLetters(instance.visitor());
    await writeMany(instance, { people: 12, brands: ['hm'] });
    await until(async () => lettersAmong(smtp.handedOver).length === 10, 'ten letters in the air', 60_000);
    const before = smtp.accepted.length;
    await until(
      async () => {
        await instance.query("update notice set state = 'waiting', due_at = now() where state = 'accepted'");
        await new Promise((resolve) => setTimeout(resolve, 1000));
        return (await readiness(instance)).parts.mail?.status === 'degraded';
      },
      'a report',
      60_000,
    );
    expect(smtp.accepted.length).toBeGreaterThan(before + 2);

    silent.open();
    await untilStates(instance, { accepted: 12, draft: 1 });
    await untilReadiness(instance, ({ status }) => status === 'ok');
  }, 150_000);
});

describe('/readyz, when letters wait although all processes live,', () => {
  async function startOne(): Promise<{ smtp: TestSmtp; instance: Instance }> {
    const smtp = await aMailServer();
    const instance = await startInstance({ smtpUrl: smtp.url });
    open.push(() => instance.close());
    await untilReadiness(instance, ({ status }) => status === 'ok');
    return { smtp, instance };
  }

  it('says that no relay lets the worker in, also when only a mail to a person waits for it', async () => {
    const { smtp, instance } = await startOne();
    smtp.script((moment) => (moment === 'connect' ? { cut: 'rst' } : undefined));
    await writeLetters(instance.visitor());
    expect(await untilReadiness(instance, ({ parts }) => parts.mail?.status === 'degraded')).toMatchObject({
      code: 200,
      status: 'degraded',
      parts: {
        mail: {
          reason: expect.stringMatching(/^no mail relay has taken anything from worker \d+ for \d+ seconds$/),
        },
        queue: { status: 'ok' },
      },
    });

    smtp.script(undefined);
    await instance.query("update notice set due_at = now() where state = 'waiting'");
    await untilReadiness(instance, ({ status }) => status === 'ok');
  }, 120_000);

  it.each([
    ['release', "update contact set health = 'good' where id = 1"],
    ['claim', 'update instance set mark = mark'],
  ])(
    'says that somebody holds a lock which it would need to %s letters',
    async (_what, locking) => {
      const { instance } = await startOne();
      await instance.query('update contact set hourly_pace = 3600');
      const somebody = new pg.Client({ connectionString: instance.context.databaseUrl });
      await somebody.connect();
      open.push(() => somebody.end());
      await somebody.query(`begin; ${locking}`);
      await writeMany(instance, { people: 2, brands: await brandsWithContact(instance, 1) });
      expect(
        await untilReadiness(instance, ({ parts }) => parts.workers?.status === 'degraded'),
      ).toMatchObject({
        code: 200,
        status: 'degraded',
        parts: {
          workers: {
            reason: expect.stringMatching(
              /^worker \d+ has waited for the database to release or claim letters for \d+ seconds: /,
            ),
          },
        },
      });

      await somebody.query('rollback');
      await untilStates(instance, { accepted: 2 });
      await untilReadiness(instance, ({ status }) => status === 'ok');
    },
    150_000,
  );

  const brandsWithContact = async ({ query }: Instance, contact: number) =>
    (
      await query<{ slug: string }>(
        'select slug from brand join campaign_brand on brand_id = brand.id where contact_id = $1',
        [contact],
      )
    ).map(({ slug }) => slug);
});

describe('/readyz, when bundles lie in the queue', () => {
  it('says so, unless those who would take them have enough to do or no relay', async () => {
    const web = await startInstance({ roles: ['web'] });
    open.push(() => web.close());
    const { database } = web.context;
    const workerId = await enlistWorker(database);
    const queueWhile = async (condition: Partial<WorkerCondition>) => {
      await beatWorker(database, workerId, { ...atRest, ...condition });
      return (await readiness(web)).parts.queue;
    };
    await writeMany(web, { people: 1, brands: ['hm'] });
    await releaseLetters(database);
    expect(await queueWhile({})).toEqual({ status: 'ok' }); // its job may be on the way

    await web.query("update bundle set released_at = released_at - interval '1 minute'");
    expect(await queueWhile({})).toEqual({
      status: 'degraded',
      reason: expect.stringMatching(/^letters lie in the queue for \d+ seconds, and nobody takes them$/),
    });
    expect(await queueWhile({ inTheAir: 10 })).toEqual({ status: 'ok' });
    expect(await queueWhile({ relaysAreLost: true })).toMatchObject({ status: 'ok' });
    await web.query('update bundle set worker_id = $1', [workerId]);
    expect(await queueWhile({})).toEqual({ status: 'ok' });
  });
});

describe('/readyz, when the database', () => {
  async function startBehindCable() {
    const database = await cloneDatabase();
    open.push(() => database.drop());
    const cable = await layCableTo(database.url);
    open.push(() => cable.close());
    const web = await startInstance({ roles: ['web'], databaseUrl: cable.url });
    open.push(() => web.close());
    return { cable, web, database };
  }

  it('is gone, answers 503 and says so', async () => {
    const { cable, web } = await startBehindCable();
    await cable.cut();
    expect(await readiness(web)).toEqual({
      code: 503,
      status: 'down',
      parts: { database: { status: 'down', reason: 'it cannot be reached' } },
    });
    await cable.mend();
    await untilReadiness(web, ({ code }) => code === 200);
  }, 90_000);

  it('holds its connections and does not answer, says so within seconds, and is well again by itself', async () => {
    const { cable, web } = await startBehindCable();
    expect((await readiness(web)).code).toBe(200);
    cable.freeze();
    expect(await readiness(web)).toMatchObject({
      code: 503,
      parts: { database: { status: 'down', reason: 'it does not answer' } },
    });
    await untilReadiness(web, ({ code }) => code === 200);
    const sent = await web.visitor().post(`${campaignPath}/letters`, letterFields());
    expect(sent.status).toBe(303);
  }, 120_000);

  it('can be read and not written, answers 503 and says so', async () => {
    const { web } = await startBehindCable();
    const [row] = await web.query<{ name: string }>('select current_database() as name');
    await web.query(`alter database ${row?.name} set default_transaction_read_only = on`);
    await web.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    );
    await web.context.database.pool.query('select pg_terminate_backend(pg_backend_pid())').catch(() => {});
    // before, there may be a connection of which it is not known yet that it was ended
    const readOnly = { status: 'down', reason: 'it is read-only' };
    const said = await untilReadiness(web, ({ parts }) => parts.database?.reason === readOnly.reason);
    expect(said).toEqual({ code: 503, status: 'down', parts: { database: readOnly } });
  }, 90_000);
});

describe('/readyz, when the data folder', () => {
  it('is gone under the running program, says so', async () => {
    const instance = await startInstance({ roles: ['web'] });
    open.push(() => instance.close());
    expect(await readCondition(instance.context.database, '/nowhere/at/all')).toMatchObject({
      status: 'down',
      parts: { disk: { status: 'down', reason: 'its folder cannot be looked at' } },
    });
  });
});
