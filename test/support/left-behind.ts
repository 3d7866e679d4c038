import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';

/** What a program has outside its own process while it runs, found out then, to see afterwards what is left of it. */
export type Belongings = {
  /** Those that are still there. */
  left(): Promise<string[]>;
};

/** Where the embedded server under a data folder says of itself what `serverOf` reads. */
const pidFileIn = (dataFolder: string) => join(dataFolder, 'postgres/postmaster.pid');

/** Of the embedded server under a data folder: its pid, and the folder of its socket (PostgreSQL, miscadmin.h). */
export async function serverOf(dataFolder: string): Promise<{ pid: number; sockets: string }> {
  const [pid, , , , sockets = ''] = (await readFile(pidFileIn(dataFolder), 'utf8')).split('\n');
  return { pid: Number(pid), sockets };
}

/** The embedded server under a data folder, and the ports that the ready line names. */
export async function belongingsOf(dataFolder: string, readyLine: string): Promise<Belongings> {
  const { pid, sockets } = await serverOf(dataFolder);
  const ports = [...readyLine.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port));
  return {
    async left() {
      const open = await Promise.all(
        [...new Set(ports)].map(async (port) => ((await answers(port)) ? port : 0)),
      );
      return [
        ...(isRunning(pid) ? ['the PostgreSQL server'] : []),
        ...(existsSync(pidFileIn(dataFolder)) ? ['its pid file'] : []),
        ...(existsSync(sockets) ? ['its socket'] : []),
        ...open.filter(Boolean).map((port) => `port ${port}`),
      ];
    },
  };
}

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
