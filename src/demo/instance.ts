import { spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { makeTemporaryFolder } from '../embedded/temporary-folder.ts';
import { ExpectedError } from '../expected.ts';
import { projectRoot } from '../root.ts';

export type DemoInstance = {
  url: string;
  folder: string;
  /** Ends it, and removes its folder. */
  stop(): Promise<void>;
};

/**
 * Starts Outspoken in the embedded default, with a data folder and ports of its own, whatever the settings of
 * the person who runs the demo are.
 */
export async function startDemoInstance(): Promise<DemoInstance> {
  const folder = await makeTemporaryFolder('demo');
  const child = spawn(process.execPath, [join(projectRoot, 'dist/src/main.js')], {
    env: { PATH: process.env.PATH, PORT: '0', DATA_DIR: join(folder, 'data'), LOG_LEVEL: 'warn' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  };
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /^Outspoken is ready: (http:\/\/\S+?)\/? /.exec(`${line} `)?.[1];
    if (url) {
      child.stdout.resume();
      return { url, folder, stop };
    }
  }
  await stop();
  throw new ExpectedError('The instance for the demo did not start.');
}
