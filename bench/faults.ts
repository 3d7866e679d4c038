import { createHash } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readMasterKeys } from '../src/config.ts';
import { databaseOf } from '../src/embedded/postgres.ts';
import { makeTemporaryFolder } from '../src/embedded/temporary-folder.ts';
import { type AtEnd, runWithEndings } from '../src/endings.ts';
import { ExpectedError } from '../src/expected.ts';
import { readOptions } from '../src/options.ts';
import { createVault } from '../src/people/vault.ts';
import { mailDomain, prepareCampaign, startWriting } from './faults/campaign.ts';
import { startFlow } from './faults/flow.ts';
import { openJournal } from './faults/journal.ts';
import { preparePostgres } from './faults/postgres.ts';
import { pause, runProgram } from './faults/processes.ts';
import { seeded } from './faults/random.ts';
import { prepareRedis } from './faults/redis.ts';
import { misses, type Run, report, summary } from './faults/report.ts';
import { createStriker, insist, kinds, planFaults, rest } from './faults/strikes.ts';
import { judgeRun } from './faults/verdict.ts';
import { startWorkers } from './faults/workers.ts';

/**
 * What becomes of letters while everything that can be killed is killed: see bench/README.md, section Faults.
 */

const usage = 'npm run faults -- [--letters N] [--faults N] [--seed N] [--json]';
const values = readOptions(usage, {
  letters: { type: 'string', default: '2000' },
  faults: { type: 'string', default: '40' },
  seed: { type: 'string', default: '1' },
  json: { type: 'boolean', default: false },
});
const letters = Number(values.letters);
const faults = Number(values.faults);
const seed = Number(values.seed);
const workerCount = 3;

/** How long letters may take to come to their end once nothing is broken any more, in milliseconds. */
const patience = 240_000;

async function main(atEnd: AtEnd): Promise<void> {
  if (![letters, faults, seed].every(Number.isSafeInteger) || letters < 1 || faults < 0) {
    throw new ExpectedError(`Usage: ${usage}`);
  }
  const folder = await makeTemporaryFolder('faults');
  atEnd(() => rm(folder, { recursive: true, force: true }));
  const run = await runIn(folder, atEnd);
  process.stdout.write(`${values.json ? summary(run) : report(run)}\n`);
  for (const problem of misses(run)) say(`Missed: ${problem}.`);
  if (misses(run).length > 0) process.exitCode = 1;
}

async function runIn(folder: string, atEnd: AtEnd): Promise<Run> {
  const started = performance.now();
  const random = seeded(seed);
  const appKey = `1:${createHash('sha256').update(`faults ${seed}`).digest('base64')}`;
  const vault = createVault(readMasterKeys(appKey) ?? []);
  const postgres = await preparePostgres(folder);
  const redis = await prepareRedis(folder);
  atEnd(() => postgres.stop());
  atEnd(() => redis.stop());
  await Promise.all([postgres.start(), redis.start()]);
  await insist(postgres, (client) => client.query('create database faults'));
  const databaseUrl = databaseOf(postgres.url, 'faults');
  await prepareCampaign(databaseUrl, vault, letters);

  const journalFile = join(folder, 'journal');
  await writeFile(journalFile, '');
  const relay = runProgram('./relay', [String(seed), journalFile], {}, say);
  atEnd(async () => relay.signal('SIGKILL'));
  const workers = await startWorkers({
    count: workerCount,
    databaseUrl,
    rest: () => rest(random),
    environment: {
      APP_KEY: appKey,
      REDIS_URL: redis.url,
      SMTP_URL: `smtp://127.0.0.1:${await relay.line()}?tls=off`,
      PUBLIC_URL: 'http://127.0.0.1',
      MAIL_DOMAIN: mailDomain,
      MAIL_RECIPIENTS: '*',
      DATA_DIR: join(folder, 'data'),
      SEED: 'false',
    },
  });
  atEnd(() => workers.stop());
  const journal = openJournal(journalFile);
  const striker = createStriker({ postgres: { ...postgres, url: databaseUrl }, redis, workers, random });
  const flow = startFlow(databaseUrl);

  const backlog = Math.max(Math.ceil((letters / Math.max(faults, 1)) * 3), Math.min(1000, letters / 4));
  const crowd = startWriting({
    url: databaseUrl,
    vault,
    letters,
    seed,
    mayWrite: () => crowd.promised.size - journal.entries.size < backlog + crowd.promised.size / 15,
  });
  crowd.done.catch((error) => say(`Writing letters failed: ${error}`));
  const done = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, 0])) as Run['faults'];
  for (const [n, kind] of planFaults(faults, random).entries()) {
    await waitForShare((0.95 * letters * (n + random())) / faults);
    const what = await striker.strike(kind);
    done[what] += 1;
    say(
      `${n + 1} of ${faults}: ${what}; ${crowd.promised.size} letters written, ${journal.entries.size} sent`,
    );
  }
  await striker.settle();
  await crowd.done;
  await settle();

  /** Strikes come while letters flow; if nothing flows, the next one comes after a while all the same. */
  async function waitForShare(share: number): Promise<void> {
    let sent = journal.entries.size;
    for (let deadline = performance.now() + 5000; performance.now() < deadline; await pause(10)) {
      journal.read();
      if (journal.entries.size >= share) return;
      if (journal.entries.size > sent) deadline = performance.now() + 5000;
      sent = journal.entries.size;
    }
  }
  /** Everything is up, and nobody strikes any more: all letters come to an end, and the relay's log is played. */
  async function settle(): Promise<void> {
    const deadline = performance.now() + patience;
    for (let calm = false; performance.now() < deadline; await pause(500)) {
      const underway = await flow.underway();
      say(`nothing is broken any more; under way: ${JSON.stringify(underway)}`);
      const isCalm = Object.keys(underway).length === 0;
      // the log is complete when nothing was under way for a while
      await flow.playLog(journal, calm && isCalm);
      if (calm && isCalm && Object.keys(await flow.underway()).length === 0) return;
      calm = isCalm;
    }
  }

  await workers.stop();
  const rows = await flow.rows();
  journal.read();
  const times = new Map([...journal.entries].map(([messageId, replies]) => [messageId, replies.length]));
  const verdict = judgeRun(crowd.promised, rows, times);
  const timelines = await flow.timelines([
    ...verdict.lost.map(({ messageId }) => messageId),
    ...verdict.duplicates,
  ]);
  await flow.close();
  relay.signal('SIGTERM');
  const mischief = JSON.parse(await relay.line());
  journal.close();
  return {
    letters,
    seed,
    seconds: Math.round((performance.now() - started) / 100) / 10,
    faults: done,
    verdict,
    duplicates: verdict.duplicates.map((id) => `${id}: ${journal.entries.get(id)?.join(', ')}`),
    timelines,
    mischief: Object.fromEntries(Object.entries<number>(mischief).sort()),
    states: countBy(rows.map(({ state }) => state)),
    mostUnknown: await striker.mostUnknown(),
    surprises: workers.surprises,
    said: workers.said,
    tries: crowd.tries,
  };
}

function countBy(names: string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

await runWithEndings(main);
