import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { readMasterKeys } from '../src/config.ts';
import { startPostgres } from '../src/embedded/postgres.ts';
import { makeTemporaryFolder } from '../src/embedded/temporary-folder.ts';
import { type AtEnd, runWithEndings } from '../src/endings.ts';
import { ExpectedError } from '../src/expected.ts';
import { readOptions } from '../src/options.ts';
import { createVault } from '../src/people/vault.ts';
import {
  measure,
  measureYardstick,
  type Result,
  type Setting,
  type Shares,
  type Variant,
} from './measure.ts';
import { prepareTemplate, writeTexts } from './prepare.ts';
import { findRedis, startRedis } from './redis.ts';
import { report, summary } from './report.ts';

/**
 * How fast letters go through the whole path (stored, confirmed, released, sent, recorded) against a bare
 * nodemailer pool that sends the same texts in the same run. See bench/README.md.
 */

const usage =
  'npm run bench -- [--letters N, a multiple of 20, 200 or more] [--rounds N] [--workers N] [--warm-up N, a multiple of 20] [--variants redis20,redis1,postgres20] [--json]';
const values = readOptions(usage, {
  letters: { type: 'string', default: '60000' },
  rounds: { type: 'string', default: '5' },
  workers: { type: 'string', default: '2' },
  'warm-up': { type: 'string', default: '20000' },
  variants: { type: 'string', default: 'redis20,redis1,postgres20' },
  json: { type: 'boolean', default: false },
});
const letters = Number(values.letters);
const rounds = Number(values.rounds);
const workers = Number(values.workers);
const warmUp = Number(values['warm-up']);
const wanted = values.variants.split(',');

const known: Record<string, Variant> = {
  redis20: { queue: 'redis', perSubmission: 20 },
  redis1: { queue: 'redis', perSubmission: 1 },
  postgres20: { queue: 'postgres', perSubmission: 20 },
};

async function main(atEnd: AtEnd): Promise<void> {
  if (
    !(
      letters >= 200 &&
      letters % 20 === 0 &&
      rounds >= 1 &&
      workers >= 1 &&
      warmUp >= 0 &&
      warmUp % 20 === 0
    ) ||
    !wanted.every((name) => name in known)
  ) {
    throw new ExpectedError(`Usage: ${usage}`);
  }
  const folder = await makeTemporaryFolder('bench');
  atEnd(() => rm(folder, { recursive: true, force: true }));
  const postgres = await startPostgres(folder);
  atEnd(() => postgres.close());
  const redis = findRedis() ? await startRedis(folder) : undefined;
  if (redis) atEnd(() => redis.close());
  else say('redis-server is not installed: only what needs none is measured.');

  const appKey = `1:${randomBytes(32).toString('base64')}`;
  const vault = createVault(readMasterKeys(appKey) ?? []);
  await prepareTemplate(postgres.url, vault);
  const texts = await writeTexts(postgres.url, folder);
  await takeTurns({ letters, warmUp, workers, folder, appKey, vault, postgres, redis, atEnd }, texts);
}

/** The yardstick and each variant, round by round, so that what disturbs the machine disturbs all of them. */
async function takeTurns(setting: Setting, texts: string): Promise<void> {
  const variants = wanted
    .map((name) => known[name] as Variant)
    .filter(({ queue }) => queue === 'postgres' || setting.redis);
  const yardstick: Result[] = [];
  const outspoken = variants.map((variant) => ({ variant, results: [] as (Result & Shares)[] }));
  for (let round = 1; round <= rounds; round += 1) {
    yardstick.push(await measureYardstick(setting, texts));
    for (const { variant, results } of outspoken) results.push(await measure(setting, variant));
    const speeds = [yardstick, ...outspoken.map(({ results }) => results)].map((results) =>
      Math.round(results.at(-1)?.perSecond ?? Number.NaN),
    );
    say(`round ${round} of ${rounds}: ${speeds.join(', ')} letters per second`);
  }
  const measured = { letters, warmUp, rounds, yardstick, outspoken };
  process.stdout.write(`${values.json ? summary(measured) : report(measured)}\n`);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

await runWithEndings(main);
