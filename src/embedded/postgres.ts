import { spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { codeOf, ExpectedError } from '../expected.ts';
import {
  cannotRun,
  collect,
  createCluster,
  findPrograms,
  forgetOtherServers,
  makeSocketFolder,
  type Owner,
  ownerOfServer,
  type Programs,
  readOrMakePassword,
  serverEnvironment,
} from './cluster.ts';
import { finishExchange, isDecided, readPlace, refuseEmptyBesideOld } from './exchange.ts';
import { removeLeftovers } from './leftovers.ts';
import { endOrphan, instanceLock, readPidFile, urlOf } from './orphan.ts';
import { inUse, startFailed, wrongPassword } from './start-failed.ts';

export type EmbeddedPostgres = {
  url: string;
  pid: number;
  /** Resolves if the server ends although nobody asked it to. */
  lost: Promise<void>;
  close(): Promise<void>;
};

/**
 * A PostgreSQL 18 server of our own under `folder`. It listens on a Unix socket in a folder that only its
 * user may enter, and on no port. It runs in a session of its own, so that Ctrl-C reaches us first and letters
 * in flight are recorded before it stops.
 *
 * @param warn is told what somebody who starts it should know: that it takes long, or that it finished a restore
 * @throws ExpectedError when the folder is used by another process or cannot be used, or when the programs
 *   do not run on this machine
 */
export async function startPostgres(
  folder: string,
  warn: (words: string) => void = () => {},
): Promise<EmbeddedPostgres> {
  forgetOtherServers();
  for (;;) {
    await removeLeftovers(folder, { warn });
    for (const line of await finishExchange(folder)) warn(line);
    await refuseEmptyBesideOld(folder);
    const place = await readPlace(folder);
    const started = await takeFolder(folder, warn).catch(async (error) => {
      if ((await readPlace(folder)) === place) throw error;
    });
    if (started && (await isInPlace(started, folder))) return started;
    await started?.close(); // a restore was faster: this is not the database of this folder any more
  }
}

/**
 * Starts the server of the database that is in its place; where none is, an empty one is made. Whoever has it owns the
 * folder: until it is closed, everybody else is refused here.
 *
 * @throws ExpectedError as `startPostgres`; a FolderInUse when somebody else has it
 */
export async function takeFolder(folder: string, warn: (words: string) => void): Promise<EmbeddedPostgres> {
  const programs = await findPrograms();
  const owner = await ownerOfServer();
  const dataFolder = join(folder, 'postgres');
  const password = await readOrMakePassword(join(folder, 'postgres-password'));
  await createCluster(programs, owner, folder, dataFolder, password);
  await endOrphan(dataFolder, password, { warn });

  const socketFolder = await makeSocketFolder(owner);
  const url = urlOf(socketFolder, password);
  const server = spawnServer(programs, owner, dataFolder, socketFolder);
  const end = async () => {
    server.process.kill('SIGINT'); // "fast" shutdown: rolls back what is open, writes a checkpoint
    await server.ended;
    await rm(socketFolder, { recursive: true, force: true });
  };
  const hold = async () => {
    const client = await connectWhenReady(server, url, { dataFolder, warn });
    try {
      await client.query('select pg_advisory_lock($1)', [instanceLock]);
      await knock(url);
    } catch {
      throw inUse(dataFolder); // who starts in the same moment took our server for an orphan, and goes on with its own
    }
    return client;
  };
  const holder = await hold().catch(async (error) => {
    await end(); // in a session of its own, it would go on without us
    throw error;
  });

  let closing = false;
  const lost = new Promise<void>((resolve) => {
    void server.ended.then(() => {
      if (!closing) resolve();
    });
  });
  return {
    url,
    pid: server.process.pid as number,
    lost,
    async close() {
      closing = true;
      await holder.end().catch(() => {});
      await end();
    },
  };
}

/** Between our last look and our owning the folder, a restore may have owned it, and decided. */
async function isInPlace({ pid }: EmbeddedPostgres, folder: string): Promise<boolean> {
  return !(await isDecided(folder)) && (await readPidFile(join(folder, 'postgres')))?.pid === pid;
}

/** `databaseOf(url, name)` is another database of the same server. */
export function databaseOf(url: string, name: string): string {
  return url.replace('/postgres?', `/${name}?`);
}

function spawnServer(programs: Programs, owner: Owner, dataFolder: string, socketFolder: string) {
  const settings = {
    listen_addresses: '',
    unix_socket_directories: socketFolder,
    max_connections: '100',
    jit: 'off',
    // a statement that fails, and the values that it failed on, may hold what people wrote
    log_min_error_statement: 'panic',
    log_error_verbosity: 'terse',
    log_parameter_max_length_on_error: '0',
  };
  const args = ['-D', dataFolder];
  for (const [name, value] of Object.entries(settings)) args.push('-c', `${name}=${value}`);
  const child = spawn(programs.postgres, args, {
    ...owner,
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: serverEnvironment(),
  });
  let failure: unknown;
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', (error) => {
      failure = cannotRun(programs.postgres, error);
      resolve(); // it never ran
    });
  });
  const isOver = () => child.exitCode !== null || child.signalCode !== null;
  return { process: child, said: collect(child), failure: () => failure, isOver, ended };
}

/**
 * Fails where a server is about to end, since it takes nobody in any more: among the connections that it ends, that of
 * whoever told it to may be the first, and then the lock is ours, for a moment.
 */
async function knock(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {}); // its end is told by `connect`, or does not matter any more
  await client.connect();
  await client.end();
}

/** How often it is tried until a server must have come up, or tell that it will. */
const patience = 600;

const recoveryTakesLong =
  'the embedded PostgreSQL makes good what a sudden end left undone; this may take minutes';

/** No socket yet, nobody behind it yet, starting up or recovering (57P03); or it ends just now, and is over soon. */
function isNotUp(error: unknown): boolean {
  return (
    ['ENOENT', 'ECONNREFUSED', '57P03', 'ECONNRESET', 'EPIPE', '57P01'].includes(codeOf(error) ?? '') ||
    /Connection terminated/.test((error as Error).message)
  );
}

async function connectWhenReady(
  server: ReturnType<typeof spawnServer>,
  url: string,
  { dataFolder, warn }: { dataFolder: string; warn: (words: string) => void },
): Promise<pg.Client> {
  let recovering = 0;
  for (let tries = 0; tries < patience; tries += 1) {
    if (server.failure()) throw server.failure();
    if (server.isOver()) throw await startFailed(server.said(), dataFolder);
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => {}); // its end is told by `lost`
    try {
      await client.connect();
      return client;
    } catch (error) {
      if (codeOf(error) === '28P01') throw wrongPassword(dataFolder);
      if (!isNotUp(error)) throw error;
      if (codeOf(error) === '57P03') {
        tries = 0; // stopped in the middle, it would have to begin again
        recovering += 1;
        if (recovering === patience / 10) warn(recoveryTakesLong);
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new ExpectedError(`The embedded PostgreSQL did not come up: ${server.said().slice(-600)}`);
}
