import { type ChildProcess, spawn } from 'node:child_process';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ExpectedError, reasonOf } from '../expected.ts';
import { sync } from '../whole-file.ts';
import { collect } from './cluster.ts';

/** Folders in one file and back, by the system's tar: it is there wherever the embedded PostgreSQL runs. */

/**
 * Puts a folder into a new file that only its owner may read. It is there as a whole or not at all.
 *
 * @throws ExpectedError when the file is there already, or cannot be written
 */
export async function pack(folder: string, file: string, signal: AbortSignal): Promise<void> {
  const part = `${file}.part-${process.pid}`;
  try {
    const target = await open(part, 'wx', 0o600);
    try {
      await finish(
        spawn('tar', ['-czf', '-', '-C', folder, '.'], {
          stdio: ['ignore', target.fd, 'pipe'],
          signal,
        }),
        `${file} could not be written`,
      );
      await target.sync();
    } finally {
      await target.close();
    }
    await rename(part, file);
    await sync(dirname(file));
  } finally {
    await rm(part, { force: true });
  }
}

/** @throws ExpectedError when the file cannot be read, or is no archive, or is cut off */
export async function unpack(file: string, folder: string, signal: AbortSignal): Promise<void> {
  const source = await open(file, 'r').catch((error) => {
    throw new ExpectedError(`${file} cannot be read (${reasonOf(error)}).`);
  });
  try {
    await finish(
      spawn('tar', ['-xzf', '-', '-C', folder, '--no-same-owner'], {
        stdio: [source.fd, 'ignore', 'pipe'],
        signal,
      }),
      `${file} is not a whole backup`,
    );
  } finally {
    await source.close();
  }
}

async function finish(child: ChildProcess, failure: string): Promise<void> {
  const said = collect(child);
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  }).catch((error) => {
    throw new ExpectedError(`tar cannot be run (${reasonOf(error)}).`);
  });
  if (status !== 0) throw new ExpectedError(`${failure}: ${said().split('\n')[0] ?? ''}`);
}
