import { type ChildProcess, spawn } from 'node:child_process';
import { chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import {
  createCluster,
  findPrograms,
  ownerOfServer,
  readOrMakePassword,
  serverEnvironment,
} from '../../src/embedded/cluster.ts';
import { childrenOf, pause } from './processes.ts';

/** A PostgreSQL that can be killed, and started again on the same files and the same socket. */
export type Postgres = {
  url: string;
  isUp(): boolean;
  /** SIGKILL to the server and, if `all`, to each of its processes, as when a machine dies. */
  kill(all: boolean): Promise<void>;
  /** The server's own processes, one of which may crash. */
  backends(): number[];
  /** Stops every process where it is, so that connections stand and nobody answers; or lets them go on. */
  freeze(): void;
  thaw(): void;
  start(): Promise<void>;
  stop(): Promise<void>;
};

/** The settings that durability depends on are PostgreSQL's own. */
export async function preparePostgres(folder: string): Promise<Postgres> {
  const programs = await findPrograms();
  const owner = await ownerOfServer();
  const dataFolder = join(folder, 'postgres');
  const socketFolder = join(folder, 'socket');
  await mkdir(socketFolder, { mode: 0o700 });
  if ('uid' in owner) await chown(socketFolder, owner.uid, owner.gid);
  const password = await readOrMakePassword(join(folder, 'postgres-password'));
  await createCluster(programs, owner, folder, dataFolder, password);
  const url = `postgres://outspoken:${password}@/postgres?host=${encodeURIComponent(socketFolder)}`;
  const settings = [
    'listen_addresses=',
    `unix_socket_directories=${socketFolder}`,
    'max_connections=100',
    'jit=off',
  ];
  let server: ChildProcess | undefined;
  let up = false;

  function launch(): Promise<void> {
    const child = spawn(
      programs.postgres,
      ['-D', dataFolder, ...settings.flatMap((setting) => ['-c', setting])],
      { ...owner, detached: true, stdio: 'ignore', env: serverEnvironment() },
    );
    server = child;
    return new Promise((resolve) => child.once('exit', () => resolve()));
  }
  async function answers(): Promise<boolean> {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
    client.on('error', () => {});
    try {
      await client.connect();
      await client.query('select 1');
      return true;
    } catch {
      return false;
    } finally {
      await client.end().catch(() => {});
    }
  }
  /** The server first, so that it starts nobody else. */
  function signalAll(name: NodeJS.Signals): void {
    const pid = server?.pid as number;
    for (const one of [pid, ...childrenOf(pid)]) signalIfThere(one, name);
  }
  return {
    url,
    freeze: () => signalAll('SIGSTOP'),
    thaw: () => signalAll('SIGCONT'),
    isUp: () => up,
    async start() {
      for (let tries = 0; tries < 1200; tries += 1) {
        // it refuses to start while processes of the one before still end
        if (!server || server.exitCode !== null || server.signalCode !== null) void launch();
        if (await answers()) {
          up = true;
          return;
        }
        await pause(50);
      }
      throw new Error('PostgreSQL did not come up again');
    },
    backends: () => childrenOf(server?.pid as number),
    async kill(all) {
      up = false;
      const child = server as ChildProcess;
      const family = all ? childrenOf(child.pid as number) : [];
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      for (const pid of family) signalIfThere(pid, 'SIGKILL');
      await ended;
    },
    async stop() {
      up = false;
      const child = server;
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGINT');
      await ended;
    },
  };
}

export function signalIfThere(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // it ended meanwhile
  }
}
