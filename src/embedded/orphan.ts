import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { codeOf } from '../expected.ts';
import { forgetOtherServers, isSocketFolder } from './cluster.ts';
import { inUse, stillBusy, stillEnding } from './start-failed.ts';

/** Embedded servers that others started: whose they are, and what becomes of those that are nobody's. */

/** The advisory lock that the process which owns a data folder holds for as long as it lives. */
export const instanceLock = 0x6f757473;

/** While a server that others started is waited for. */
export type Patience = {
  /** Is told once what is waited for, when it takes its time. */
  warn(words: string): void;
  /** For how long a server may be busy with itself, in milliseconds. */
  busy?: number;
};

const busyAtMost = 60_000;
const saidAfter = 1500;

export function urlOf(socketFolder: string, password: string): string {
  return `postgres://outspoken:${password}@/postgres?host=${encodeURIComponent(socketFolder)}`;
}

/**
 * A server whose owner was killed goes on alone, and nobody holds the instance lock: it is stopped, so that
 * this process can start its own. If somebody holds the lock, the folder is in use. Of a server that was killed as
 * well, the folder of its socket is left.
 *
 * @returns false: there is a process of which it cannot be told whether it is such a server
 * @throws ExpectedError when the folder is in use, or such a server does not end
 */
export async function endOrphan(dataFolder: string, password: string, patience: Patience): Promise<boolean> {
  const written = await readPidFile(dataFolder);
  if (!written) return true;
  const { pid, socketFolder } = written;
  if (isAlive(pid)) {
    const found = await ask(written, password, waitFor(dataFolder, pid, patience));
    try {
      if (found?.owned) throw inUse(dataFolder);
      if (found) process.kill(pid, 'SIGINT');
      const wait = waitFor(dataFolder, pid, patience);
      // one that says nothing may be just ending, or have been killed and not been collected yet
      for (let tries = 0; isAlive(pid) && tries < (found ? 200 : 40); tries += 1) {
        if (found) wait('ends');
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      if (isAlive(pid) && found) throw stillEnding(dataFolder, pid);
    } finally {
      await found?.leave(); // until here, nobody could come to own what was about to end
    }
    if (isAlive(pid)) return false; // the new server judges the pid file itself
  }
  if (isSocketFolder(socketFolder)) await rm(socketFolder, { recursive: true, force: true });
  return true;
}

/** The server that another Outspoken runs on this folder at this moment, for working beside it; undefined: none. */
export async function findRunningPostgres(
  folder: string,
  patience: Patience = { warn() {} },
): Promise<string | undefined> {
  forgetOtherServers();
  const password = await readFile(join(folder, 'postgres-password'), 'utf8').catch(() => undefined);
  if (password === undefined) return undefined;
  const dataFolder = join(folder, 'postgres');
  const written = await readPidFile(dataFolder);
  if (!written || !isAlive(written.pid)) return undefined;
  const found = await ask(written, password, waitFor(dataFolder, written.pid, patience));
  await found?.leave();
  return found?.owned ? urlOf(written.socketFolder, password) : undefined;
}

/** What a server, or one that was killed, wrote down of itself (PostgreSQL, miscadmin.h: LOCK_FILE_LINE_SOCKET_DIR). */
type Written = { pid: number; socketFolder: string };

export async function readPidFile(dataFolder: string): Promise<Written | undefined> {
  const lines = await readFile(join(dataFolder, 'postmaster.pid'), 'utf8').catch(() => '');
  const [pid, , , , socketFolder] = lines.split('\n');
  return pid && socketFolder ? { pid: Number(pid), socketFolder } : undefined;
}

type Wait = (why: 'starts' | 'ends') => void;

/** To be called for as long as a server is waited for; throws when that was too long. */
function waitFor(dataFolder: string, pid: number, { warn, busy = busyAtMost }: Patience): Wait {
  const begun = performance.now();
  let said = false;
  return (why) => {
    const waited = performance.now() - begun;
    if (waited > busy) throw stillBusy(dataFolder, pid, why);
    if (said || waited < saidAfter) return;
    said = true;
    warn(
      why === 'ends'
        ? `waiting for the PostgreSQL of another Outspoken on this data folder, process ${pid}, to end`
        : `waiting for the PostgreSQL of another Outspoken on this data folder, process ${pid}: it makes good what a sudden end left undone`,
    );
  };
}

/**
 * `owned`: somebody holds the instance lock. If not, nobody else can until it is left. Undefined: it is not a server of
 * ours, or it has ended.
 */
async function ask(
  { socketFolder }: Written,
  password: string,
  wait: Wait,
): Promise<{ owned: boolean; leave(): Promise<void> } | undefined> {
  for (;;) {
    const client = new pg.Client({
      connectionString: urlOf(socketFolder, password),
      connectionTimeoutMillis: 5000,
      query_timeout: 5000,
    });
    client.on('error', () => {}); // the statement that is under way tells
    const leave = () => client.end().catch(() => {});
    try {
      await client.connect();
      const { rows } = await client.query('select pg_try_advisory_lock($1) as free', [instanceLock]);
      return { owned: !rows[0].free, leave };
    } catch (error) {
      await leave();
      if (codeOf(error) !== '57P03') return undefined; // it is starting up, recovering or ending, and will say
      wait(/shutting down/.test((error as Error).message) ? 'ends' : 'starts');
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Whether there is a process with this id. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}
