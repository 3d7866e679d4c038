import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { runMigrations } from 'bullmq';
import pg from 'pg';
import { fingerprintKeyPlace } from '../src/campaigns/fingerprint.ts';
import { seedFirstCampaign } from '../src/campaigns/seed.ts';
import { openWordings } from '../src/campaigns/wordings.ts';
import { readMasterKeys } from '../src/config.ts';
import { openDatabase } from '../src/db/database.ts';
import { migrate } from '../src/db/migrate.ts';
import { databaseOf, type EmbeddedPostgres, startPostgres } from '../src/embedded/postgres.ts';
import { makeTemporaryFolder } from '../src/embedded/temporary-folder.ts';
import { ExpectedError } from '../src/expected.ts';
import { composeLetter } from '../src/letters/compose.ts';
import { readOptions } from '../src/options.ts';
import { sameMailbox } from '../src/people/address.ts';
import { createVault, keyedHash } from '../src/people/vault.ts';
import { cpuOfTree } from './cpu.ts';
import { findRedis, startRedis } from './redis.ts';
import { startSink } from './sink.ts';

/**
 * How fast letters go through the whole path (stored, confirmed, released, sent, recorded) against a bare
 * nodemailer pool that sends the same texts in the same run. See bench/README.md.
 */

type Result = { perSecond: number; cpuMicros: number };
/** Processor time per letter by who used it, in microseconds. The sink is not part of the sum. */
type Shares = { writer: number; workers: number; postgres: number; redis: number; sink: number };
type Variant = { queue: 'redis' | 'postgres'; perSubmission: number };

const usage =
  'npm run bench -- [--letters N, a multiple of 20, 200 or more] [--rounds N] [--workers N] [--json]';
const values = readOptions(usage, {
  letters: { type: 'string', default: '20000' },
  rounds: { type: 'string', default: '5' },
  workers: { type: 'string', default: '2' },
  json: { type: 'boolean', default: false },
});
const letters = Number(values.letters);
const rounds = Number(values.rounds);
const workers = Number(values.workers);
const brandCount = 20;
const appKey = `1:${randomBytes(32).toString('base64')}`;
const vault = createVault(readMasterKeys(appKey) ?? []);
const here = fileURLToPath(new URL('.', import.meta.url));

async function main(): Promise<void> {
  const whole = [letters, rounds, workers].every(Number.isSafeInteger);
  if (!(whole && letters >= 200 && letters % 20 === 0 && rounds >= 1 && workers >= 1)) {
    throw new ExpectedError(`Usage: ${usage}`);
  }
  const folder = await makeTemporaryFolder('bench');
  const postgres = await startPostgres(folder);
  const redis = findRedis() ? await startRedis(folder) : undefined;
  try {
    await prepareTemplate(postgres.url);
    const texts = await writeTexts(postgres.url, folder);
    const variants: Variant[] = [
      ...(redis
        ? [{ queue: 'redis', perSubmission: 20 } as const, { queue: 'redis', perSubmission: 1 } as const]
        : []),
      { queue: 'postgres', perSubmission: 20 },
    ];
    if (!redis) say('redis-server is not installed: only the embedded default is measured.');
    const yardstick: Result[] = [];
    const measured = new Map<Variant, (Result & Shares)[]>(variants.map((variant) => [variant, []]));
    for (let round = 0; round < rounds; round += 1) {
      yardstick.push(await measureYardstick(texts));
      for (const variant of variants)
        measured.get(variant)?.push(await measure(variant, { folder, postgres, redis }));
      say(
        `round ${round + 1} of ${rounds}: ${[yardstick, ...measured.values()].map((all) => Math.round(all.at(-1)?.perSecond ?? 0)).join(', ')} letters per second`,
      );
    }
    report(
      median(yardstick),
      variants.map((variant) => ({ ...variant, ...median(measured.get(variant) ?? []) })),
      variants.map((variant) => medianShares(measured.get(variant) ?? [])),
    );
  } finally {
    await redis?.close();
    await postgres.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** A database with one campaign of twenty brands, cloned for every measurement. */
async function prepareTemplate(url: string): Promise<void> {
  await onServer(url, 'create database bench_template');
  const template = databaseOf(url, 'bench_template');
  await migrate(template);
  const client = new pg.Client({ connectionString: template });
  await client.connect();
  await runMigrations(client);
  const database = openDatabase(template, 2);
  await database.transaction((transaction) => seedFirstCampaign(transaction, vault));
  await database.close();
  const key = vault.mintKey(fingerprintKeyPlace('bench'));
  await client.query(
    `insert into campaign (slug, state, texts, fingerprint_key, key_version)
     select 'bench', 'open', texts, $1, $2 from campaign`,
    [key.wrapped, key.version],
  );
  await client.query(`
    with bench as (select id from campaign where slug = 'bench'),
    made as (insert into brand (slug, name) select 'bench-' || n, 'Brand ' || n from generate_series(1, ${brandCount}) n returning id, slug),
    reached as (insert into contact (brand_id, kind, address) select id, 'email', 'human-rights@' || slug || '.example' from made returning id, brand_id)
    insert into campaign_brand (campaign_id, brand_id, contact_id, position, lists)
    select bench.id, brand_id, reached.id, brand_id, array['bfc-2024-journal'] from reached, bench`);
  await client.query(`
    insert into wording (campaign_id, language, version, sender, subject, body, passages)
    select bench.id, language, 1, sender, subject, body, passages from wording, campaign bench
    where bench.slug = 'bench' and language = 'en'`);
  await client.end();
}

/** The very texts that the letters will have, for the yardstick. */
async function writeTexts(url: string, folder: string): Promise<string> {
  const database = openDatabase(databaseOf(url, 'bench_template'), 1);
  const client = database.pool;
  const { rows } = await client.query("select id from campaign where slug = 'bench'");
  const [wording] = await openWordings(database).newest(rows[0].id);
  await database.close();
  if (!wording) throw new Error('the bench wording is missing');
  const texts = Array.from({ length: brandCount }, (_, n) => {
    const brand = { name: `Brand ${n + 1}`, lists: ['bfc-2024-journal'] as [string] };
    const { subject, text } = composeLetter({
      wording,
      brand,
      said: { reasons: ['customer'] },
      handle: 'x',
      domain: 'outspoken.example',
    });
    return { subject, text };
  });
  const file = join(folder, 'texts.json');
  await writeFile(file, JSON.stringify(texts));
  return file;
}

async function measureYardstick(texts: string): Promise<Result> {
  const sink = await startSink();
  const child = run('yardstick', [sink.url, String(letters), texts], {});
  const { seconds, cpuMicros } = JSON.parse(await child.line()) as { seconds: number; cpuMicros: number };
  await child.ended;
  await check(await sink.messageIds(), 'the yardstick');
  await sink.close();
  return { perSecond: letters / seconds, cpuMicros: cpuMicros / letters };
}

type Redis = Awaited<ReturnType<typeof startRedis>>;

async function measure(
  variant: Variant,
  { folder, postgres, redis }: { folder: string; postgres: EmbeddedPostgres; redis: Redis | undefined },
): Promise<Result & Shares> {
  const name = `bench_${randomBytes(4).toString('hex')}`;
  await onServer(postgres.url, `create database ${name} template bench_template`);
  const databaseUrl = databaseOf(postgres.url, name);
  const sink = await startSink();
  const look = new pg.Client({ connectionString: databaseUrl });
  await look.connect();
  await fillCaps(look, letters / variant.perSubmission);

  const environment = {
    DATABASE_URL: databaseUrl,
    APP_KEY: appKey,
    SMTP_URL: sink.url,
    MAIL_RECIPIENTS: '*',
    PUBLIC_URL: 'http://127.0.0.1',
    DATA_DIR: join(folder, name), // the marks of one database are not those of the next
    MAIL_DOMAIN: 'outspoken.example',
    LOG_LEVEL: 'error',
    SEED: 'false',
    ...(variant.queue === 'redis' ? { REDIS_URL: redis?.url } : {}),
  };
  const sending = Array.from({ length: workers }, () =>
    run('../src/main', ['--role', 'worker'], environment),
  );
  const writing = run('writer', [String(letters), String(variant.perSubmission)], environment);
  await Promise.all([...sending, writing].map((child) => child.line())); // each says when it is ready

  const used = () => {
    const of = (...pids: number[]) => pids.reduce((sum, pid) => sum + (cpuOfTree(pid) ?? Number.NaN), 0);
    return {
      workers: of(...sending.map(({ process }) => process.pid as number)),
      postgres: of(postgres.pid),
      redis: variant.queue === 'redis' && redis ? of(redis.pid) : 0,
      sink: of(sink.pid),
    };
  };
  const before = used();
  const started = performance.now();
  writing.process.stdin?.write('go\n');
  const written = JSON.parse(await writing.line()) as { cpuMicros: number };
  await allDone(look);
  const seconds = (performance.now() - started) / 1000;
  const after = used();
  const shares = {
    writer: written.cpuMicros / letters,
    workers: (after.workers - before.workers) / letters,
    postgres: (after.postgres - before.postgres) / letters,
    redis: (after.redis - before.redis) / letters,
    sink: (after.sink - before.sink) / letters,
  };

  const { rows } = await look.query("select message_id from letter where state = 'accepted'");
  const rowIds = new Set(rows.map(({ message_id }) => message_id as string));
  const sinkIds = await check(await sink.messageIds(), variant.queue);
  if (rowIds.size !== letters || !sinkIds.every((id) => rowIds.has(id))) {
    throw new Error(`${rowIds.size} letters were recorded as accepted, ${letters} were written`);
  }
  for (const { process } of sending) process.kill('SIGTERM');
  await Promise.all([...sending, writing].map(({ ended }) => ended));
  await look.end();
  await sink.close();
  await onServer(postgres.url, `drop database ${name} with (force)`);
  if (redis) await redis.flush();
  const { sink: _, ...ours } = shares;
  const cpuMicros = Object.values(ours).reduce((sum, share) => sum + share, 0);
  return { perSecond: letters / seconds, cpuMicros, ...shares };
}

/**
 * Confirmation notices are not what is measured, and the sink must count letters only. The addresses of the
 * bench have had their two for today, so the ordinary path stores the letters without asking.
 */
async function fillCaps(client: pg.Client, submissions: number): Promise<void> {
  const key = vault.keyFor('address cap');
  const marks = Array.from({ length: submissions }, (_, n) =>
    keyedHash(key, sameMailbox(`advocate-${n}@mail.example`), 16),
  );
  await client.query('insert into confirmation_cap select unnest($1::bytea[]), array[now(), now()]', [marks]);
}

/** Nothing waits and nothing is on its way any more. */
async function allDone(client: pg.Client): Promise<void> {
  for (;;) {
    const { rows } = await client.query(
      'select exists (select from bundle) or exists (select from waiting_letter) as busy',
    );
    if (!rows[0].busy) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function check(ids: string[], who: string): Promise<string[]> {
  if (ids.length !== letters || new Set(ids).size !== letters) {
    throw new Error(
      `${who}: the sink has ${ids.length} messages, ${new Set(ids).size} of them distinct; ${letters} were to come`,
    );
  }
  return ids;
}

function run(script: string, args: string[], environment: Record<string, string | undefined>) {
  const child: ChildProcess = spawn(process.execPath, [join(here, `${script}.js`), ...args], {
    env: { ...process.env, ...environment },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return {
    process: child,
    ended,
    async line(): Promise<string> {
      const { value, done } = await lines.next();
      if (done) throw new Error(`${script} ended too early`);
      return value;
    },
  };
}

async function onServer(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(text);
  await client.end();
}

function median(results: Result[]): Result {
  return {
    perSecond: middle(results.map(({ perSecond }) => perSecond)),
    cpuMicros: middle(results.map(({ cpuMicros }) => cpuMicros)),
  };
}

function medianShares(results: Shares[]): Shares {
  const of = (who: keyof Shares) => middle(results.map((result) => result[who]));
  return {
    writer: of('writer'),
    workers: of('workers'),
    postgres: of('postgres'),
    redis: of('redis'),
    sink: of('sink'),
  };
}

function middle(numbers: number[]): number {
  return Math.round(numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN);
}

function report(yardstick: Result, outspoken: (Variant & Result)[], shares: Shares[]): void {
  const ratioOf = (queue: string, perSubmission: number) => {
    const found = outspoken.find((one) => one.queue === queue && one.perSubmission === perSubmission);
    return found ? Math.round((found.perSecond / yardstick.perSecond) * 100) / 100 : null;
  };
  const ratio = {
    redis20: ratioOf('redis', 20),
    redis1: ratioOf('redis', 1),
    postgres20: ratioOf('postgres', 20),
  };
  if (values.json) {
    process.stdout.write(`${JSON.stringify({ letters, rounds, yardstick, outspoken, ratio })}\n`);
    return;
  }
  const line = (what: string, { perSecond, cpuMicros }: Result, times: number | null) =>
    `${what.padEnd(46)} ${String(perSecond).padStart(8)} ${String(cpuMicros).padStart(10)} ${times === null ? '' : times.toFixed(2).padStart(8)}`;
  const rows = [
    `${'medians of '.concat(String(rounds), ' rounds, ', String(letters), ' letters each').padEnd(46)} ${'per sec'.padStart(8)} ${'CPU µs'.padStart(10)} ${'ratio'.padStart(8)}`,
    line('bare nodemailer pool', yardstick, 1),
    ...outspoken.map((one) => line(nameOf(one), one, ratioOf(one.queue, one.perSubmission))),
    '',
    `${'CPU µs per letter by process'.padEnd(46)} ${['writer', 'workers', 'postgres', 'redis', 'sink'].map((who) => who.padStart(9)).join('')}`,
    ...outspoken.map(
      ({ queue, perSubmission }, n) =>
        `${nameOf({ queue, perSubmission }).padEnd(46)} ${Object.values(shares[n] ?? {})
          .map((share) => String(share).padStart(9))
          .join('')}`,
    ),
  ];
  process.stdout.write(`${rows.join('\n')}\n`);
}

function nameOf({ queue, perSubmission }: Variant): string {
  return `Outspoken, ${queue}, ${perSubmission} per submission`;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

main().catch((error) => {
  process.stderr.write(`${error instanceof ExpectedError ? error.message : error.stack}\n`);
  process.exitCode = 1;
});
