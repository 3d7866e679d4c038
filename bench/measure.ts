import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { databaseOf, type EmbeddedPostgres } from '../src/embedded/postgres.ts';
import type { AtEnd } from '../src/endings.ts';
import { mailboxMark } from '../src/people/confirmation-cap.ts';
import type { Vault } from '../src/people/vault.ts';
import { cpuOfTree } from './cpu.ts';
import { onServer, template } from './prepare.ts';
import type { startRedis } from './redis.ts';
import { startSink } from './sink.ts';

export type Result = { perSecond: number; cpuMicros: number };
/** Processor time per letter by who used it, in microseconds. The sink is not part of the sum. */
export type Shares = { writer: number; workers: number; postgres: number; redis: number; sink: number };
export type Variant = { queue: 'redis' | 'postgres'; perSubmission: number };

export type Setting = {
  letters: number;
  /** So many go before those that count, so that every process has compiled what it runs. */
  warmUp: number;
  workers: number;
  folder: string;
  appKey: string;
  vault: Vault;
  postgres: EmbeddedPostgres;
  redis?: Awaited<ReturnType<typeof startRedis>>;
  atEnd: AtEnd;
};

const here = fileURLToPath(new URL('.', import.meta.url));

/** A bare nodemailer pool that sends the same texts and keeps nothing. */
export async function measureYardstick({ letters, warmUp, atEnd }: Setting, texts: string): Promise<Result> {
  const sink = await startSink(warmUp + letters);
  atEnd(sink.close);
  const child = run('yardstick', [sink.url, String(warmUp), String(letters), texts], {});
  atEnd(async () => {
    child.process.kill('SIGKILL');
    await child.ended;
  });
  const { seconds, cpuMicros } = JSON.parse(await child.line()) as { seconds: number; cpuMicros: number };
  await child.ended;
  check(await sink.messageIds(), warmUp + letters, 'the yardstick');
  await sink.close();
  return { perSecond: letters / seconds, cpuMicros: cpuMicros / letters };
}

/** The whole path, with processes, a database and a sink of its own. */
export async function measure(setting: Setting, variant: Variant): Promise<Result & Shares> {
  const { letters, warmUp, workers, folder, appKey, vault, postgres, redis, atEnd } = setting;
  const name = `bench_${randomBytes(4).toString('hex')}`;
  await onServer(postgres.url, `create database ${name} template ${template}`);
  const databaseUrl = databaseOf(postgres.url, name);
  const sink = await startSink(warmUp + letters);
  atEnd(sink.close);
  const look = new pg.Client({ connectionString: databaseUrl });
  look.on('error', () => {}); // the server may be ended under it
  await look.connect();
  await fillCaps(look, vault, (warmUp + letters) / variant.perSubmission);

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
  const writing = run('writer', [String(variant.perSubmission)], environment);
  for (const { process, ended } of [...sending, writing]) {
    atEnd(async () => {
      process.kill('SIGTERM');
      await ended;
    });
  }
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
  const send = async (count: number): Promise<{ cpuMicros: number }> => {
    writing.process.stdin?.write(`${count}\n`);
    const written = JSON.parse(await writing.line());
    await allDone(look);
    return written;
  };
  await send(warmUp);
  const before = used();
  const started = performance.now();
  const written = await send(letters);
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
  const sinkIds = check(await sink.messageIds(), warmUp + letters, variant.queue);
  if (rowIds.size !== warmUp + letters || !sinkIds.every((id) => rowIds.has(id))) {
    throw new Error(`${rowIds.size} letters were recorded as accepted, ${warmUp + letters} were written`);
  }
  writing.process.stdin?.end();
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
async function fillCaps(client: pg.Client, vault: Vault, submissions: number): Promise<void> {
  const marks = Array.from({ length: submissions }, (_, n) =>
    mailboxMark(vault, `advocate-${n}@mail.example`),
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
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function check(ids: string[], sent: number, who: string): string[] {
  if (ids.length !== sent || new Set(ids).size !== sent) {
    throw new Error(
      `${who}: the sink has ${ids.length} messages, ${new Set(ids).size} of them distinct; ${sent} were to come`,
    );
  }
  return ids;
}

function run(script: string, args: string[], environment: Record<string, string | undefined>) {
  const child: ChildProcess = spawn(process.execPath, [join(here, `${script}.js`), ...args], {
    env: { PATH: process.env.PATH, ...environment }, // and not what an instance of theirs is set to
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
