import { type ChildProcess, spawn } from 'node:child_process';
import { chown, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from '../../bench/free-port.ts';
import {
  createCluster,
  findPrograms,
  ownerOfServer,
  readOrMakePassword,
  serverEnvironment,
} from '../../src/embedded/cluster.ts';
import { makeTemporaryFolder } from '../../src/embedded/temporary-folder.ts';

export type PostgresServer = {
  /** The same after every start, as that of a real server is. */
  url: string;
  /** Ends it: SIGKILL as a crash would, SIGINT as an operator who restarts it in a hurry. */
  end(signal: 'SIGKILL' | 'SIGINT'): Promise<void>;
  /** Starts it again on the same data. */
  start(): Promise<void>;
  close(): Promise<void>;
};

/** A PostgreSQL of a test's own, which may be killed. */
export async function startOwnPostgres(): Promise<PostgresServer> {
  const folder = await makeTemporaryFolder('postgres');
  const [programs, owner, port] = [await findPrograms(), await ownerOfServer(), await freePort()];
  const password = await readOrMakePassword(join(folder, 'password'));
  const [data, sockets] = [join(folder, 'data'), join(folder, 'sockets')];
  await createCluster(programs, owner, folder, data, password);
  await mkdir(sockets);
  if ('uid' in owner) await chown(sockets, owner.uid, owner.gid);
  const url = `postgres://outspoken:${password}@127.0.0.1:${port}/postgres`;
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: sockets,
    max_connections: 150,
  };
  let server: ChildProcess;
  let ended: Promise<void>;

  async function start(): Promise<void> {
    for (let tries = 0; ; tries += 1) {
      const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
      const child = spawn(programs.postgres, ['-D', data, ...args], {
        ...owner,
        stdio: 'ignore',
        env: serverEnvironment(),
      });
      server = child;
      ended = new Promise((resolve) => child.once('exit', () => resolve()));
      if (await answers(child)) return;
      // after a SIGKILL its children are still there for a moment, and hold the shared memory
      if (tries > 100) throw new Error('PostgreSQL did not start again');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async function answers(child: ChildProcess): Promise<boolean> {
    while (child.exitCode === null && child.signalCode === null) {
      const client = new pg.Client({ connectionString: url });
      client.on('error', () => {});
      const connected = await client.connect().then(
        () => true,
        () => false,
      );
      await client.end().catch(() => {});
      if (connected) return true;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return false;
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    server.kill(signal);
    await ended;
  }

  await start();
  return {
    url,
    end,
    start,
    async close() {
      await end('SIGINT');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
