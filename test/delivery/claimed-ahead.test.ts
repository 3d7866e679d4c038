import { randomUUID } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createAir } from '../../src/letters/air.ts';
import { openBundles } from '../../src/letters/bundle-store.ts';
import { cancelLetters, eraseAdvocate } from '../../src/letters/cancel-letters.ts';
import { type Logbooks, openLogbooks } from '../../src/letters/logbooks.ts';
import { createPlaces } from '../../src/letters/places.ts';
import { releaseLetters } from '../../src/letters/release-letters.ts';
import { enlistWorker } from '../../src/letters/roll-call.ts';
import { sendBundle } from '../../src/letters/send-bundle.ts';
import { sweepLetters } from '../../src/letters/sweep.ts';
import { createWriter } from '../../src/letters/write-out.ts';
import { createMailer, type Mailer } from '../../src/mail/mailer.ts';
import { until } from '../support/advocate.ts';
import { prepareDelivery } from '../support/delivery.ts';
import {
  gate,
  lettersAmong,
  messageIdOf,
  messageIdsIn,
  noLogbooks,
  sentTwice,
  stateCounts,
  unmarked,
  untilStates,
  type Writer,
  writeMany,
} from '../support/letters.ts';
import { whileItWaits } from '../support/moments.ts';

const letters = 40;
const inTheAir = 10;

/**
 * A worker whose mail server was fast a moment ago claims all letters of a bundle at once. Here it does so whatever the
 * server does, so that what becomes of those that wait to leave does not depend on the speed of a machine.
 */
describe('letters that were claimed and have not left', () => {
  const { smtp, instance } = prepareDelivery({ roles: ['web'] });
  let mailer: Mailer;
  let logbooks: Logbooks;
  let workerId: number;
  let writers: Writer[];
  let bundle: string;
  let stopping: AbortController;
  let held: ReturnType<typeof gate>;
  beforeEach(async () => {
    const { config, database, log } = instance.context;
    mailer = createMailer({ url: smtp.url, connections: inTheAir });
    logbooks = await openLogbooks(config.dataDir, { name: randomUUID(), log, boot: 'this boot' });
    workerId = await enlistWorker(database);
    stopping = new AbortController();
    held = gate();
    smtp.script((moment) => (moment === 'dot' ? { until: held.opened } : undefined));
    writers = await writeMany(instance, { people: letters, brands: ['hm'] });
    bundle = (await releaseLetters(database))[0]?.id ?? '';
  });
  afterEach(async () => {
    held.open();
    await mailer.close();
  });

  const send = (books: Pick<Logbooks, 'open'> = logbooks, database = instance.context.database) => {
    const { vault, wordings, log, config } = instance.context;
    return sendBundle(
      {
        bundles: openBundles(database, { workerId, logbook: logbooks.name, mark: unmarked, log }),
        writeOut: createWriter({ vault, wordings, mailDomain: config.mailDomain }),
        ...{ mailer, log, logbooks: books },
        air: createAir(mailer, inTheAir, 0),
        places: createPlaces(() => letters),
        stopping: stopping.signal,
      },
      bundle,
    );
  };
  const untilTheAirIsFull = () =>
    until(async () => handedOver().length === inTheAir, 'as many letters in the air as there may be');
  const handedOver = () => lettersAmong(smtp.handedOver).map(messageIdOf).sort();
  const logbooksLeft = () => readdir(join(instance.context.config.dataDir, 'logbooks'));
  const sweep = () =>
    sweepLetters(instance.context.database, {
      ...{ silent: [workerId], logbooks, hasWaited: () => false },
      ...{ workerId: 0, isActive: () => false, queueWasLost: false },
    });
  /** They are as if nobody had claimed them. */
  async function expectUntouched(count: number): Promise<void> {
    const rows = await instance.query(
      "select tries, first_tried_at from letter where state = 'ready' group by tries, first_tried_at",
    );
    expect(rows).toEqual([{ tries: 0, first_tried_at: null }]);
    expect(await instance.query('select count(*)::int as n from waiting_letter where not deferred')).toEqual([
      { n: count },
    ]);
  }

  it('wait again after two seconds, and their writers can take them back', async () => {
    const sent = send();
    await untilStates(instance, { sending: letters });
    await untilStates(instance, { sending: inTheAir, ready: letters - inTheAir });
    await expectUntouched(letters - inTheAir);
    expect(handedOver()).toEqual(await messageIdsIn(instance, 'sending'));
    const answers = await Promise.all(
      writers.map(({ receipt }) => cancelLetters(instance.context, receipt.slice('/r/'.length))),
    );
    expect(answers.filter((cancelled) => cancelled === 1)).toHaveLength(letters - inTheAir);
    held.open();
    await sent;
    expect(await stateCounts(instance)).toEqual({ accepted: inTheAir, cancelled: letters - inTheAir });
    expect(handedOver()).toHaveLength(inTheAir);
    expect(await logbooksLeft()).toEqual([]);
  });

  it('leave with a later bundle, once', async () => {
    const sent = send();
    await untilStates(instance, { sending: inTheAir, ready: letters - inTheAir });
    held.open();
    await sent;
    await instance.startWorker();
    await untilStates(instance, { accepted: letters });
    expect(sentTwice(smtp)).toEqual([]);
  });

  it('wait again at once when the worker is asked to stop', async () => {
    const sent = send();
    await untilTheAirIsFull();
    stopping.abort();
    held.open();
    await sent;
    expect(await stateCounts(instance)).toEqual({ accepted: inTheAir, ready: letters - inTheAir });
    await expectUntouched(letters - inTheAir);
  });

  it.each([
    ['the server refuses the others one by one', '550 5.1.1 no such mailbox', 'rejected'],
    ['the host asks to be left alone', '421 4.3.2 come back later', 'deferred'],
  ])('wait again when %s', async (_what, reply, state) => {
    smtp.script((moment) => (moment === 'rcpt' ? { reply } : undefined));
    await send();
    const { [state]: told = 0, ready = 0, ...others } = await stateCounts(instance);
    expect([told + ready, others]).toEqual([letters, {}]);
    expect(told).toBeGreaterThan(0);
    expect(told).toBeLessThanOrEqual(inTheAir);
    expect(handedOver()).toEqual([]);
  });

  it('do not leave when that cannot be written down', async () => {
    const noRoom = { open: (id: string) => ({ ...logbooks.open(id), leaves: () => false }) };
    await send(noRoom);
    await expectUntouched(letters);
    expect(handedOver()).toEqual([]);
  });

  it('are given up once they wait again, if their writer was erased meanwhile', async () => {
    const sent = send();
    await untilTheAirIsFull();
    expect(await Promise.all(writers.map(({ receipt }) => eraseOf(receipt)))).not.toContain(false);
    held.open();
    await sent;
    await instance.query("update waiting_letter set due_at = now() - interval '1 second'");
    expect(await releaseLetters(instance.context.database)).toEqual([]);
    const { accepted = 0, ready = 0, cancelled = 0, abandoned = 0, ...others } = await stateCounts(instance);
    expect([accepted + cancelled + abandoned, ready, others]).toEqual([letters, 0, {}]);
    expect(accepted).toBe(handedOver().length);
    expect(await instance.query('select from waiting_letter')).toEqual([]);
  });

  it('are given up when their writer is erased at the very moment in which they are let go', async () => {
    const { database, vault, log } = instance.context;
    const bundles = openBundles(database, { workerId, logbook: logbooks.name, mark: unmarked, log });
    const taken = await bundles.take(bundle);
    if (!taken) throw new Error('the bundle was not there');
    await bundles.recordAndClaim(taken, [], taken.letter_ids);
    const parts = { vault, takenBack: { note: async () => {}, raise: async () => {} } };
    const token = (writers[0] as Writer).receipt.slice('/r/'.length);
    await whileItWaits(
      instance,
      (between) => eraseAdvocate({ ...parts, database: between }, token),
      () => bundles.letGo(taken, taken.letter_ids),
    );
    await instance.query("update waiting_letter set due_at = now() - interval '1 second' where deferred");
    await releaseLetters(database);
    expect(await stateCounts(instance)).toEqual({ abandoned: 1, queued: letters - 1 });
  });

  it('never leave once another worker has read in the logbook that they have not, although the first one lives', async () => {
    const sent = send();
    await untilTheAirIsFull();
    expect(await sweep()).toMatchObject({ unknown: inTheAir, returned: letters - inTheAir });
    await expectUntouched(letters - inTheAir);
    held.open();
    await sent;
    expect(handedOver()).toHaveLength(inTheAir);
    expect(await stateCounts(instance)).toEqual({ accepted: inTheAir, ready: letters - inTheAir });
    expect(await logbooksLeft()).toEqual([]);
  });

  it('wait again, because the worker that claimed them knows it, although others had lost sight of them', async () => {
    const { database, log } = instance.context;
    const bundles = openBundles(database, { workerId, logbook: logbooks.name, mark: unmarked, log });
    const taken = await bundles.take(bundle);
    if (!taken) throw new Error('the bundle was not there');
    await bundles.recordAndClaim(taken, [], taken.letter_ids);
    await sweepLetters(database, {
      ...{ silent: [workerId], ...noLogbooks },
      ...{ workerId: 0, isActive: () => false, queueWasLost: false },
    });
    expect(await stateCounts(instance)).toEqual({ unknown: letters });
    await bundles.letGo(taken, taken.letter_ids);
    await bundles.finish(taken);
    expect(await stateCounts(instance)).toEqual({ ready: letters });
  });

  it('do not leave when the worker hears of the claim too late: its campaign may be paused since', async () => {
    const { database } = instance.context;
    const late = <Result>(result: Result) =>
      new Promise<Result>((resolve) => setTimeout(() => resolve(result), 6500));
    let claims = 0;
    const slow: typeof database = {
      ...database,
      async rows(statement, values) {
        const rows = await database.rows(statement, values);
        if (!statement.text.includes("'claimed'")) return rows;
        claims += 1;
        return claims === 1 ? late(rows) : rows;
      },
    };
    held.open();
    await send(logbooks, slow);
    expect(handedOver()).toEqual([]);
    await expectUntouched(letters);
  });

  const eraseOf = (receipt: string) => eraseAdvocate(instance.context, receipt.slice('/r/'.length));
});
