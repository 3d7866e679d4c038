import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createAir } from '../../src/letters/air.ts';
import { openBundles } from '../../src/letters/bundle-store.ts';
import { openLogbooks } from '../../src/letters/logbooks.ts';
import { createPlaces } from '../../src/letters/places.ts';
import { releaseLetters } from '../../src/letters/release-letters.ts';
import { sendBundle } from '../../src/letters/send-bundle.ts';
import { createWriter } from '../../src/letters/write-out.ts';
import { createMailer, type Mailer } from '../../src/mail/mailer.ts';
import { guardRecipients } from '../../src/mail/recipients.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { stateCounts, unmarked, writeMany } from '../support/letters.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;
/** What the clock of the machine adds between two looks, at most. */
const grain = minute / 2;

let smtp: TestSmtp;
let mailer: Mailer;
let instance: Instance;
let workOff: () => Promise<void>;
/** When each try reached the server, in seconds of the clock that the test moves. */
const tries: number[] = [];
/** By how much the test has moved it on; the machine's own goes on, too. */
let passed = 0;
const clock = () => passed + performance.now() / 1000;

// No worker runs: the test gives the turns, so that five days take as long as their statements.
beforeAll(async () => {
  smtp = await startSmtp();
  smtp.script((moment) => {
    if (moment === 'rcpt') tries.push(clock());
    return moment === 'rcpt' ? { reply: '450 4.2.2 mailbox full' } : undefined;
  });
  instance = await startInstance({ roles: ['web'], smtpUrl: smtp.url });
  const { database, vault, wordings, log, config } = instance.context;
  mailer = createMailer({ url: smtp.url, guard: guardRecipients(config.mailRecipients), connections: 1 });
  const [worker] = await instance.query<{ id: number }>('insert into worker default values returning id');
  const sending = {
    bundles: openBundles(database, { workerId: worker?.id ?? 0, mark: unmarked, log }),
    writeOut: createWriter({ vault, wordings, mailDomain: config.mailDomain }),
    ...{ mailer, log },
    ...{ air: createAir(mailer, 1, 0), places: createPlaces(() => 1) },
    logbooks: await openLogbooks(config.dataDir, { name: randomUUID(), log }),
    stopping: new AbortController().signal,
  };
  workOff = async () => {
    for (const { id } of await releaseLetters(database)) await sendBundle(sending, id);
  };
});
afterAll(async () => {
  await mailer.close();
  await instance.close();
  await smtp.close();
});

/** Lets time go by: every stored time that matters becomes older. */
async function pass(seconds: number): Promise<void> {
  passed += seconds;
  await instance.query(
    `with receivers as (update receiver set probe_at = probe_at - $1 * interval '1 second'),
     waiting as (update waiting_letter set due_at = due_at - $1 * interval '1 second')
     update letter set due_at = due_at - $1 * interval '1 second',
       first_tried_at = first_tried_at - $1 * interval '1 second'`,
    [seconds],
  );
}

/** Seconds until the letter is due, and may go to a server that asked for breaks; undefined: it waits no more. */
async function untilDue(): Promise<number | undefined> {
  const [row] = await instance.query<{ wait: number }>(
    `select extract(epoch from greatest(due_at, (select max(probe_at) from receiver)) - now())::float8 as wait
     from waiting_letter`,
  );
  return row?.wait;
}

const newest = async () =>
  (await instance.query<{ state: string }>('select state from letter order by id desc limit 1'))[0]?.state;

describe('a letter that is put off for five days', () => {
  it('is tried on schedule, and given up after the fifth day', async () => {
    const began = clock();
    await writeMany(instance, { people: 1, brands: ['hm'] });
    await workOff();
    for (let wait = await untilDue(); wait !== undefined; wait = await untilDue()) {
      const before = tries.length;
      await pass(wait - grain);
      await workOff();
      expect(tries).toHaveLength(before); // not a moment early
      await pass(grain + 1);
      await workOff();
      expect(tries.length - before).toBeLessThanOrEqual(1);
    }
    const givenUp = clock() - began;
    expect(await stateCounts(instance)).toEqual({ abandoned: 1 });
    expect(givenUp).toBeGreaterThanOrEqual(5 * day - grain);
    expect(givenUp).toBeLessThan(5 * day + 2 * hour);

    const times = tries.map((at) => at - began);
    expect(times.filter((at) => at < hour).length).toBeGreaterThanOrEqual(3);
    expect(times.filter((at) => at < hour).length).toBeLessThanOrEqual(5);
    const gaps = times.slice(1).map((at, n) => ({ at, gap: at - (times[n] as number) }));
    for (const { at, gap } of gaps) {
      if (at > hour + grain) expect(gap).toBeGreaterThanOrEqual(hour / 2 - grain);
      expect(gap).toBeLessThan(2 * hour);
    }
    expect(times.at(-1)).toBeGreaterThan(5 * day - 2 * hour);

    const [letter] = await instance.query<{ tries: number }>('select tries from letter');
    expect(letter?.tries).toBe(tries.length);
  }, 180_000);

  // nobody tried it meanwhile, so the days are not its server's fault
  it.each([
    {
      what: 'its campaign is paused',
      runs: true,
      stop: "update campaign set state = 'paused'",
      goOn: "update campaign set state = 'open'",
    },
    {
      what: 'its contact is suspended',
      runs: true,
      stop: "update contact set health = 'suspended'",
      goOn: "update contact set health = 'good'",
    },
    { what: 'nothing runs', runs: false, stop: 'select', goOn: 'select' },
  ])('is tried once more when $what over the fifth day', async ({ runs, stop, goOn }) => {
    await instance.query('delete from receiver');
    tries.length = 0;
    await writeMany(instance, { people: 1, brands: ['hm'] });
    await workOff();
    expect(tries).toHaveLength(1);
    await instance.query(stop);
    await pass(3 * day);
    if (runs) await workOff();
    await pass(3 * day);
    if (runs) await workOff();
    expect(tries).toHaveLength(1);

    await instance.query(goOn);
    await workOff();
    expect(tries).toHaveLength(2);
    await pass(2 * hour);
    await workOff();
    expect(tries).toHaveLength(2);
    expect(await untilDue()).toBeUndefined();
    expect(await newest()).toBe('abandoned');
  });
});
