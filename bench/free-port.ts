import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Systems take the ports that they give to whoever asks for any from higher up (Linux: from 32768), so one from here
 * stays free until whoever wants it listens there, also while a server that had it is away.
 */
const [lowest, highest] = [20_000, 32_767];

/** A port of this machine on which nothing listens. */
export async function freePort(): Promise<number> {
  const port = randomInt(lowest, highest + 1);
  const server = createServer().listen(port, '127.0.0.1');
  const isFree = await once(server, 'listening').then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') return false;
      throw error;
    },
  );
  if (!isFree) return freePort();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
