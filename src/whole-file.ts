import { link, open, readFile, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { codeOf, ExpectedError, reasonOf } from './expected.ts';

/**
 * The text of a file that is made once and then kept for ever, such as a key. It is there as a whole or not at all:
 * neither a full disk nor a power cut leaves half of it, and of several processes that make it, one does.
 *
 * @throws ExpectedError when it cannot be made, or is there and cannot be read
 */
export async function readOrMake(file: string, make: () => string): Promise<string> {
  const found = await readIfThere(file);
  if (found !== undefined) return found;
  const part = `${file}.part-${process.pid}`;
  try {
    const handle = await open(part, 'w', 0o600);
    try {
      await handle.writeFile(make());
      await handle.sync();
    } finally {
      await handle.close();
    }
    await link(part, file).catch((error) => {
      if (codeOf(error) !== 'EEXIST') throw error;
    });
    await sync(dirname(file));
  } catch (error) {
    throw new ExpectedError(
      `The file ${file} cannot be made (${reasonOf(error)}). Make room for it, or set DATA_DIR to another folder.`,
    );
  } finally {
    await rm(part, { force: true });
  }
  return readFile(file, 'utf8');
}

/**
 * The text of a file in the data folder; undefined: there is none.
 *
 * @throws ExpectedError when it is there and cannot be read
 */
export async function readIfThere(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch((error) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw unreadable(file, error);
  });
}

/** What is in a file outlives a power cut after this, and in a folder the names of its files (fsync(2)). */
export async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Whether something is there. In a folder of another user's, nobody can tell, and what is taken for gone would be made
 * anew, or said to be lost.
 *
 * @throws ExpectedError when it cannot be told
 */
export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '')) return false;
    throw unreadable(path, error);
  }
}

/** As after a command that root ran, or a key that root put into its place. */
function unreadable(path: string, error: unknown): ExpectedError {
  return new ExpectedError(
    `${path} cannot be read (${reasonOf(error)}). Run this as the user who runs the instance; everything in the data folder must belong to that user.`,
  );
}
