import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';

/** What a program has outside its own process while it runs, found out then, to see afterwards what is left of it. */
export type Belongings = {
  /** Those that are still there. */
  left(): Promise<string[]>;
};

/**
 * The embedded server under a data folder (its pid and its socket's folder stand in its pid file: PostgreSQL,
 * miscadmin.h), and the ports that the ready line names.
 */
export async function belongingsOf(dataFolder: string, readyLine: string): Promise<Belongings> {
  const pidFile = join(dataFolder, 'postgres/postmaster.pid');
  const [pid, , , , socketFolder = ''] = (await readFile(pidFile, 'utf8')).split('\n');
  const ports = [...readyLine.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port));
  return {
    async left() {
      const open = await Promise.all(
        [...new Set(ports)].map(async (port) => ((await answers(port)) ? port : 0)),
      );
      return [
        ...(isRunning(Number(pid)) ? ['the PostgreSQL server'] : []),
        ...(existsSync(pidFile) ? ['its pid file'] : []),
        ...(existsSync(socketFolder) ? ['its socket'] : []),
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
