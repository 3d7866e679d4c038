import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { openLogbooks } from '../../src/letters/logbooks.ts';
import { until } from '../support/advocate.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { addressOf, gate, messageIdOf, untilStates, writeTogether } from '../support/letters.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

/**
 * What has left and did not come back, by the worker's logbooks, is what its death would leave unknown. Recording is made
 * slow here, by locks on the rows of letters, so that whatever goes ahead of it is seen.
 */
describe('a worker never has more than ten letters that its death would leave unknown', () => {
  let smtp: TestSmtp;
  let instance: Instance;
  let gates: ReturnType<typeof gate>[];
  /** The letters to H&M in the order in which the mail server got them. */
  let order: string[];
  /** How many letters are out by the logbooks when one to Nike is handed over. */
  let seen: number[];
  let lockers: pg.Client[];

  beforeEach(async () => {
    smtp = await startSmtp();
    instance = await startInstance({ smtpUrl: smtp.url });
    gates = Array.from({ length: 40 }, gate);
    order = [];
    seen = [];
    lockers = [];
    smtp.script((moment, { to, raw }) => {
      if (moment !== 'dot') return undefined;
      if (to[0] === addressOf('nike')) {
        seen.push(countOut(instance));
        return undefined;
      }
      order.push(messageIdOf({ raw: raw as Buffer }));
      return { until: gates[order.length - 1]?.opened as Promise<void> };
    });
  });
  afterEach(async () => {
    for (const held of gates) held.open();
    for (const locker of lockers) await locker.end();
    await instance.close();
    await smtp.close();
  }, 60_000);

  it('although a launch lets a single letter pass', async () => {
    await writeTogether(instance, { people: 30, brands: ['hm'] });
    await until(async () => order.length === 10, 'ten letters in the air', 60_000);
    const unlock = await lock(0);
    await writeTogether(instance, { people: 1, brands: ['nike'] });
    await until(async () => (await countTaken()) === 2, 'a worker that wants to send to Nike', 60_000);
    gates[0]?.open();
    await until(async () => (await countWaiting()) === 1, 'an answer that waits to be recorded', 60_000);
    await aMoment();
    await unlock();
    await until(async () => seen.length === 1, 'the letter to Nike, before the launch', 60_000);
    expect(seen[0]).toBeLessThanOrEqual(10);
    for (const held of gates) held.open();
    await untilStates(instance, { accepted: 31 });
  }, 120_000);

  it('although answers come while others are being recorded, and another bundle waits for places', async () => {
    await writeTogether(instance, { people: 11, brands: ['hm'] });
    await until(async () => order.length === 10, 'ten letters in the air', 60_000);
    const unlockFirst = await lock(0);
    const unlockSecond = await lock(1);
    await writeTogether(instance, { people: 10, brands: ['nike'] });
    await until(async () => (await countTaken()) === 2, 'a worker that wants to send to Nike', 60_000);
    gates[0]?.open();
    await until(async () => (await countWaiting()) === 1, 'an answer that waits to be recorded', 60_000);
    for (const held of gates.slice(1, 10)) held.open();
    await until(async () => smtp.accepted.length === 10, 'the other answers', 60_000);
    await aMoment();
    await unlockFirst(); // one is recorded and the last one claimed; nine answers wait to be recorded
    await until(async () => order.length === 11, 'the last letter of the bundle', 60_000);
    await aMoment();
    await unlockSecond();
    await until(async () => seen.length === 10, 'the letters to Nike', 60_000);
    expect(Math.max(...seen)).toBeLessThanOrEqual(10);
    for (const held of gates) held.open();
    await untilStates(instance, { accepted: 21 });
  }, 120_000);

  it('although it claims many more where they are taken as fast', async () => {
    const out: number[] = [];
    const claimed: Promise<number>[] = [];
    smtp.script((moment, { count: before }) => {
      if (moment !== 'dot') return undefined;
      out.push(countOut(instance));
      if (before % 10 === 0) claimed.push(count("letter where state = 'sending'"));
      return undefined;
    });
    await writeTogether(instance, { people: 300, brands: ['hm'] });
    await untilStates(instance, { accepted: 300 });
    expect(Math.max(...out)).toBeLessThanOrEqual(10);
    const { config, log } = instance.context;
    const { isReliable } = await openLogbooks(config.dataDir, { name: randomUUID(), log });
    expect(Math.max(...(await Promise.all(claimed))) > 10).toBe(isReliable);
  }, 120_000);

  /** Nobody can record the letter that was handed over as the n-th, until the returned function is called. */
  async function lock(n: number): Promise<() => Promise<void>> {
    const locker = new pg.Client({ connectionString: instance.context.databaseUrl });
    await locker.connect();
    lockers.push(locker);
    await locker.query('begin');
    await locker.query('select from letter where message_id = $1 for update', [order[n]]);
    return async () => {
      await locker.query('commit');
    };
  }

  const count = async (text: string) =>
    (await instance.query<{ n: number }>(`select count(*)::int as n from ${text}`))[0]?.n ?? 0;
  const countTaken = () => count('bundle where worker_id is not null');
  const countWaiting = () =>
    count("pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'");
});

/** Letters that the logbooks say have left, and have not come back. */
function countOut({ context }: Instance): number {
  const folder = join(context.config.dataDir, 'logbooks');
  const texts = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
  const lines = texts.flatMap((text) => text.split('\n'));
  const back = new Set(lines.flatMap((line) => /^in \{"id":"(\d+)"/.exec(line)?.[1] ?? []));
  return lines.filter((line) => line.startsWith('out ') && !back.has(line.slice('out '.length))).length;
}

/** Time in which what must not happen could happen. */
const aMoment = () => new Promise((resolve) => setTimeout(resolve, 500));
