import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '../../bench/free-port.ts';
import { findProgram } from './programs.ts';

export type RedisServer = {
  url: string;
  port: number;
  process: ChildProcess;
  folder: string;
  /** SIGKILL, as a crash would. */
  kill(): Promise<void>;
  close(): Promise<void>;
};

/** A real redis-server of its own; undefined when the machine has none. `port` and `folder`: start it again. */
export async function startRedis(again?: { port: number; folder: string }): Promise<RedisServer | undefined> {
  const program = findProgram('redis-server');
  if (!program) return undefined;
  const port = again?.port ?? (await freePort());
  const folder = again?.folder ?? (await mkdtemp(join(tmpdir(), 'outspoken-redis-')));
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder];
  args.push('--appendonly', 'yes', '--maxmemory-policy', 'noeviction', '--save', '');
  const child = spawn(program, args, { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = `redis://127.0.0.1:${port}`;
  const probe = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 25 });
  probe.on('error', () => {});
  await probe.ping();
  probe.disconnect();
  const stop = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await ended;
  };
  return {
    url,
    port,
    folder,
    process: child,
    kill: () => stop('SIGKILL'),
    async close() {
      await stop('SIGTERM');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
