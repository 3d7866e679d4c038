import { statfs } from 'node:fs/promises';
import { type Database, isConnectionLoss, statement } from '../db/database.ts';
import { readStanding, reasons, type Standing, whatToDo } from '../hold/hold.ts';

/**
 * How one part is doing. `degraded`: letters are stored, but they may wait; `hold`: they are stored, and wait for a
 * person; `down`: they cannot be stored.
 */
export type Part = { status: 'ok' | 'degraded' | 'hold' | 'down'; reason?: string };

export type Condition = { status: Part['status']; parts: Record<string, Part> };

/** How long a worker may say nothing, and mail servers may not answer, before it is said; in seconds. */
const silence = 10;
const quiet = 20;
/** How long bundles may lie about although no worker has anything to do, in seconds. */
const untouched = 15;

/** How long the database may take to answer, in milliseconds. */
const patience = 4000;

// What can be read can still not be written: when the disk is full, or the server is read-only.
const store = statement(`
  insert into storage_check (at) values (now()) on conflict (one) do update set at = excluded.at`);

export type WorkerReport = {
  id: number;
  /** For how long, in seconds: it said nothing, it waits for a mail server's answer, it cannot reach its queue. */
  silentFor: number;
  quietFor: number;
  queueLostFor: number;
  /** For how long it cannot write down its mark outside the database, and so takes no letters. */
  markLostFor: number;
  /** For how long no relay takes anything from it, and for how long it has waited to release, claim or record letters. */
  relaysLostFor: number;
  stuckFor: number;
  inTheAir: number;
};

const workers = statement<WorkerReport>(`
  select id, in_the_air as "inTheAir",
    extract(epoch from now() - beat_at)::float8 as "silentFor",
    case when in_the_air > 0 then extract(epoch from now() - progress_at)::float8 else 0 end as "quietFor",
    coalesce(extract(epoch from now() - queue_lost_at)::float8, 0) as "queueLostFor",
    coalesce(extract(epoch from now() - mark_lost_at)::float8, 0) as "markLostFor",
    coalesce(extract(epoch from now() - relays_lost_at)::float8, 0) as "relaysLostFor",
    extract(epoch from now() - got_on_at)::float8 as "stuckFor"
  from worker order by id`);

const oldest = statement<{ age: number }>(`
  select coalesce(extract(epoch from now() - min(released_at)), 0)::float8 as age
  from bundle where worker_id is null`);

/**
 * How everything is doing that letters need on their way. Never throws, and answers within seconds.
 *
 * @param folder where the embedded PostgreSQL keeps its data, if that is the one: its disk is ours to watch
 */
export async function readCondition(db: Database, folder?: string): Promise<Condition> {
  const read = withinPatience(readParts(db)).catch((error) => ({ database: broken(error) }));
  const parts: Condition['parts'] = { ...(await read), ...(folder && { disk: await readDisk(folder) }) };
  const all = Object.values<Part>(parts).map(({ status }) => status);
  const status = (['down', 'hold', 'degraded'] as const).find((one) => all.includes(one)) ?? 'ok';
  return { status, parts };
}

async function readParts(db: Database): Promise<Condition['parts']> {
  await db.rows(store);
  const reports = await db.rows(workers);
  const waiting = (await db.row(oldest))?.age ?? 0;
  return {
    database: { status: 'ok' },
    sending: judgeSending(await readStanding(db)),
    workers: judgeWorkers(reports),
    queue: judgeQueue(reports, waiting),
    mail: judgeMail(reports),
  };
}

function judgeSending({ hold }: Pick<Standing, 'hold'>): Part {
  if (!hold) return { status: 'ok' };
  return { status: 'hold', reason: `${reasons[hold.because]}. ${whatToDo}` };
}

function judgeWorkers(reports: readonly WorkerReport[]): Part {
  if (reports.length === 0) return degraded(['no worker is running: letters are stored, and wait']);
  return degraded([
    ...reports
      .filter(({ silentFor }) => silentFor > silence)
      .map(({ id, silentFor }) => `worker ${id} has said nothing for ${seconds(silentFor)}`),
    ...reports
      .filter(({ markLostFor }) => markLostFor > 0)
      .map(({ id }) => `worker ${id} cannot keep its high-water mark in DATA_DIR, and takes no letters`),
    ...reports
      .filter(({ silentFor, stuckFor }) => silentFor <= silence && stuckFor > quiet)
      .map(
        ({ id, stuckFor }) =>
          `worker ${id} has waited for the database to release or claim letters for ${seconds(stuckFor)}: somebody may hold a lock`,
      ),
  ]);
}

/** @param waiting how long a bundle has been lying about that nobody has taken, in seconds */
function judgeQueue(reports: readonly WorkerReport[], waiting: number): Part {
  // while no relay is there, nobody takes them on purpose
  const idle =
    reports.length > 0 &&
    reports.every(({ inTheAir, relaysLostFor }) => inTheAir === 0 && relaysLostFor === 0);
  return degraded([
    ...reports
      .filter(({ queueLostFor }) => queueLostFor > 0)
      .map(({ id, queueLostFor }) => `worker ${id} cannot use the queue for ${seconds(queueLostFor)}`),
    ...(idle && waiting > untouched
      ? [`letters lie in the queue for ${seconds(waiting)}, and nobody takes them`]
      : []),
  ]);
}

function judgeMail(reports: readonly WorkerReport[]): Part {
  return degraded([
    ...reports
      .filter(({ relaysLostFor }) => relaysLostFor > silence)
      .map(
        ({ id, relaysLostFor }) =>
          `no mail relay has taken anything from worker ${id} for ${seconds(relaysLostFor)}`,
      ),
    ...reports
      .filter(({ quietFor }) => quietFor > quiet)
      .map(
        ({ id, inTheAir, quietFor }) =>
          `worker ${id} has ${inTheAir} messages with mail servers, and no answer for ${seconds(quietFor)}`,
      ),
  ]);
}

/**
 * How much of a disk should be free, and how much must, in bytes. PostgreSQL's write-ahead log grows by pieces of
 * 16 MB; with less than that a small row may still be stored where a letter cannot.
 */
const enoughRoom = 100_000_000;
const noRoom = 20_000_000;

async function readDisk(folder: string): Promise<Part> {
  const found = await statfs(folder).catch(() => undefined);
  if (!found) return { status: 'down', reason: 'its folder cannot be looked at' };
  const free = found.bavail * found.bsize;
  if (free < noRoom) return { status: 'down', reason: 'it is full' };
  return degraded(free < enoughRoom ? [`only ${Math.floor(free / 1_000_000)} MB are free`] : []);
}

function degraded(reasons: string[]): Part {
  return reasons.length > 0 ? { status: 'degraded', reason: reasons.join('; ') } : { status: 'ok' };
}

function broken(error: unknown): Part {
  if (error === tooLate) return { status: 'down', reason: 'it does not answer' };
  if (isConnectionLoss(error)) return { status: 'down', reason: 'it cannot be reached' };
  const { code } = error as { code?: string };
  const reasons: Record<string, string> = { '53100': 'its disk is full', '25006': 'it is read-only' };
  return { status: 'down', reason: reasons[code ?? ''] ?? `it stores nothing (${code ?? 'unknown error'})` };
}

const seconds = (n: number) => `${Math.round(n)} seconds`;

const tooLate = new Error('too late');

async function withinPatience<Result>(work: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(tooLate), patience);
  });
  return Promise.race([work, limit]).finally(() => clearTimeout(timer));
}
