import { spawn } from 'node:child_process';
import { accessSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from './free-port.ts';

export function findRedis(): string | undefined {
  return ['/usr/bin/redis-server', '/usr/local/bin/redis-server', '/opt/homebrew/bin/redis-server'].find(
    (path) => {
      try {
        accessSync(path);
        return true;
      } catch {
        return false;
      }
    },
  );
}

/** A Redis of the bench's own, set as docs/operating.md asks: append-only file, nothing evicted. */
export async function startRedis(folder: string) {
  const program = findRedis();
  if (!program) throw new Error('redis-server is not installed');
  const port = await freePort();
  const args = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--dir',
    await mkdtemp(join(folder, 'redis-')),
  ];
  const child = spawn(
    program,
    [...args, '--appendonly', 'yes', '--maxmemory-policy', 'noeviction', '--save', ''],
    { stdio: 'ignore' },
  );
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const url = `redis://127.0.0.1:${port}`;
  const client = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 25 });
  client.on('error', () => {});
  await client.ping();
  return {
    url,
    pid: child.pid as number,
    flush: () => client.flushall(),
    async close() {
      client.disconnect();
      child.kill('SIGTERM');
      await ended;
    },
  };
}
