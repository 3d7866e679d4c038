import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { placeAmong, type Standing } from '../../src/letters/roll-call.ts';
import { createMailer, type Mailer } from '../../src/mail/mailer.ts';
import { until } from '../support/advocate.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { gate, lettersAmong, sentTwice, untilStates, writeMany } from '../support/letters.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

const brands = ['hm', 'nike', 'puma', 'gap', 'inditex', 'asics'];
let smtp: TestSmtp;
beforeEach(async () => {
  // slow enough for every connection that is allowed to be wanted
  smtp = await startSmtp({ script: (moment) => (moment === 'dot' ? { wait: 50 } : undefined) });
});
afterEach(() => smtp.close());

describe('two workers and a relay that allows four connections', () => {
  let instance: Instance;
  beforeEach(async () => {
    instance = await startInstance({ smtpUrl: `${smtp.url}&connections=4`, roles: ['web'] });
  });
  afterEach(() => instance.close());

  /** Each has looked around three times since the last one came. */
  const haveSettled = (workers: number) =>
    until(
      async () => {
        const [row] = await instance.query<{ n: number }>(
          `select count(*)::int as n from worker
           where beat_at > (select max(started_at) from worker) + interval '7 seconds'`,
        );
        return row?.n === workers;
      },
      'workers that know of each other',
      60_000,
    );

  it('have four together; what one leaves goes to the other', async () => {
    await instance.startWorker();
    const second = await instance.startWorker();
    await haveSettled(2);
    await writeMany(instance, { people: 20, brands });
    await untilStates(instance, { accepted: 120 });
    expect(smtp.mostOpen).toBe(4);

    await second.close();
    await until(async () => smtp.open <= 2, 'its connections to be closed', 60_000);
    await haveSettled(1);
    const before = await beats();
    await until(async () => (await beats()) > before + 5, 'the other to look twice', 60_000);
    smtp.mostOpen = smtp.open;
    await writeMany(instance, { people: 20, brands });
    await untilStates(instance, { accepted: 240 });
    expect(smtp.mostOpen).toBe(4);
    expect([lettersAmong(smtp.accepted).length, sentTwice(smtp)]).toEqual([240, []]);
  }, 180_000);

  /** How far the clock of the first worker's beats has come, in seconds. */
  const beats = async () => {
    const [row] = await instance.query<{ at: number }>(
      'select extract(epoch from max(beat_at))::float8 as at from worker',
    );
    return row?.at ?? 0;
  };
});

describe('a share of the connections', () => {
  let mailer: Mailer;
  beforeEach(() => {
    mailer = createMailer({ url: `${smtp.url}&connections=4`, connections: 10 });
  });
  afterEach(() => mailer.close());

  const message = Buffer.from('From: a@outspoken.example\r\nSubject: x\r\n\r\nHello\r\n');
  const envelope = { from: 'b.1@outspoken.example', to: 'human-rights@hm.example' };
  const mostUsed = async () => {
    smtp.mostOpen = smtp.open;
    const sent = await Promise.all(Array.from({ length: 12 }, () => mailer.send(envelope, message)));
    expect(new Set(sent.map(({ kind }) => kind))).toEqual(new Set(['accepted']));
    return smtp.mostOpen;
  };

  it('is one until the worker knows how many there are', async () => {
    expect(await mostUsed()).toBe(1);
  });

  it('grows when it is told twice, since others may still have what is ours now', async () => {
    mailer.share({ workers: 2, rank: 0 });
    expect(await mostUsed()).toBe(1);
    mailer.share({ workers: 2, rank: 0 });
    expect(await mostUsed()).toBe(2);
    mailer.share({ workers: 1, rank: 0 });
    expect(await mostUsed()).toBe(2);
    mailer.share({ workers: 1, rank: 0 });
    expect(await mostUsed()).toBe(4);
  });

  it('shrinks at once, and what is too much is closed', async () => {
    for (const _ of [1, 2]) mailer.share({ workers: 1, rank: 0 });
    expect(await mostUsed()).toBe(4);
    mailer.share({ workers: 3, rank: 2 });
    await until(async () => smtp.open === 1, 'three connections to be closed', 30_000);
    expect(await mostUsed()).toBe(1);
  });

  it('shrinks also while all of it is in use: what is too much is closed once its message is through', async () => {
    const patient = createMailer({ url: `${smtp.url}&connections=4`, connections: 10, idle: 600_000 });
    for (const _ of [1, 2]) patient.share({ workers: 1, rank: 0 });
    const held = gate();
    smtp.script((moment) => (moment === 'dot' ? { until: held.opened } : undefined));
    const sent = Promise.all(Array.from({ length: 4 }, () => patient.send(envelope, message)));
    await until(async () => smtp.handedOver.length === 4, 'four messages under way');
    patient.share({ workers: 3, rank: 2 });
    held.open();
    expect((await sent).map(({ kind }) => kind)).toEqual(Array(4).fill('accepted'));
    await until(async () => smtp.open === 1, 'three connections to be closed', 30_000);
    await patient.close();
  });

  it('is what it was after it shrank for longer than an unused connection is kept', async () => {
    const brief = createMailer({ url: `${smtp.url}&connections=4`, connections: 10, idle: 1000 });
    const use = async () => {
      smtp.mostOpen = smtp.open;
      await Promise.all(Array.from({ length: 12 }, () => brief.send(envelope, message)));
      return smtp.mostOpen;
    };
    for (const _ of [1, 2]) brief.share({ workers: 1, rank: 0 });
    expect(await use()).toBe(4);
    brief.share({ workers: 4, rank: 0 });
    await until(async () => smtp.open === 0, 'the last one to be closed as well', 30_000);
    for (const _ of [1, 2]) brief.share({ workers: 1, rank: 0 });
    expect(await use()).toBe(4);
    await brief.close();
  });

  it('does not concern a relay that allows any number', async () => {
    const free = createMailer({ url: smtp.url, connections: 3 });
    free.share({ workers: 5, rank: 4 });
    await Promise.all(Array.from({ length: 12 }, () => free.send(envelope, message)));
    expect(smtp.mostOpen).toBe(3);
    await free.close();
  });
});

describe("a worker's place", () => {
  const standing = (id: number): Standing => ({ id, beat: 'now', connected: true });

  it('is among those that live, in the order in which they came', () => {
    const all = [9, 4, 7].map(standing);
    expect([4, 7, 9].map((id) => placeAmong(all, [], id))).toEqual([
      { workers: 3, rank: 0 },
      { workers: 3, rank: 1 },
      { workers: 3, rank: 2 },
    ]);
    expect(placeAmong(all, [4], 9)).toEqual({ workers: 2, rank: 1 });
  });

  it('is there although the others took the worker for dead', () => {
    expect(placeAmong([4, 7].map(standing), [9], 9)).toEqual({ workers: 3, rank: 2 });
    expect(placeAmong([], [], 9)).toEqual({ workers: 1, rank: 0 });
  });
});
