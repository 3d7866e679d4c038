import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../src/root.ts';
import { until } from './advocate.ts';

export type Program = {
  /** Everything that it wrote so far, to both streams. */
  said(): string;
  /** Asks it to stop, and waits for the end. */
  stop(): Promise<number | null>;
};

/** The built program as `npm start` runs it, in a process of its own, once it says that it is ready. */
export async function startProgram(env: Record<string, string | undefined>): Promise<Program> {
  const main = join(projectRoot, 'dist/src/main.js');
  if (!existsSync(main)) throw new Error('there is no dist: npm run build');
  const child = spawn(process.execPath, [main], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      said += chunk;
    });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  let over = false;
  void ended.then(() => {
    over = true;
  });
  await until(async () => over || said.includes('Outspoken is ready'), 'a program that is ready', 60_000);
  if (over) throw new Error(`the program ended: ${said}`);
  return {
    said: () => said,
    async stop() {
      child.kill('SIGTERM');
      return ended;
    },
  };
}
