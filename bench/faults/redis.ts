import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { ExpectedError } from '../../src/expected.ts';
import { freePort } from '../free-port.ts';
import { findRedis } from '../redis.ts';

/** A Redis with an append-only file that can be killed, and started again on the same file and port. */
export type KillableRedis = {
  url: string;
  kill(): Promise<void>;
  start(): Promise<void>;
  flush(): Promise<void>;
  stop(): Promise<void>;
};

export async function prepareRedis(folder: string): Promise<KillableRedis> {
  const program = findRedis();
  if (!program)
    throw new ExpectedError('The fault run needs redis-server (Debian: apt-get install redis-server).');
  const port = await freePort();
  const home = await mkdtemp(join(folder, 'redis-'));
  const url = `redis://127.0.0.1:${port}`;
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', home, '--appendonly', 'yes'];
  args.push('--maxmemory-policy', 'noeviction', '--save', '');
  let server: ChildProcess | undefined;

  async function ask(command: (client: Redis) => Promise<unknown>): Promise<void> {
    const client = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 25 });
    client.on('error', () => {});
    await command(client);
    client.disconnect();
  }
  async function end(signal: NodeJS.Signals): Promise<void> {
    const child = server;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }
  return {
    url,
    kill: () => end('SIGKILL'),
    async start() {
      server = spawn(program, args, { stdio: 'ignore' });
      await ask((client) => client.ping());
    },
    flush: () => ask((client) => client.flushall()),
    stop: () => end('SIGTERM'),
  };
}
