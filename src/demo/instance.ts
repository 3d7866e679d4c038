import { spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { makeTemporaryFolder } from '../embedded/temporary-folder.ts';
import type { AtEnd } from '../endings.ts';
import { ExpectedError } from '../expected.ts';
import { projectRoot } from '../root.ts';

/**
 * Starts Outspoken in the embedded default, with a data folder and ports of its own, whatever the settings of
 * the person who runs the demo are. At the end it is stopped, and its folder removed.
 */
export async function startDemoInstance(atEnd: AtEnd): Promise<{ url: string; folder: string }> {
  const folder = await makeTemporaryFolder('demo');
  atEnd(() => rm(folder, { recursive: true, force: true }));
  const { PATH, TMPDIR } = process.env;
  const child = spawn(process.execPath, [join(projectRoot, 'dist/src/main.js')], {
    env: { PATH, TMPDIR, PORT: '0', DATA_DIR: join(folder, 'data'), LOG_LEVEL: 'warn' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  atEnd(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /^Outspoken is ready: (http:\/\/\S+?)\/? /.exec(`${line} `)?.[1];
    if (url) {
      child.stdout.resume();
      return { url, folder };
    }
  }
  throw new ExpectedError('The instance for the demo did not start.');
}
