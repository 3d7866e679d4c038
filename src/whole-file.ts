import { link, open, readFile, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { codeOf, ExpectedError, reasonOf } from './expected.ts';

/**
 * The text of a file that is made once and then kept for ever, such as a key. It is there as a whole or not at all:
 * neither a full disk nor a power cut leaves half of it, and of several processes that make it, one does.
 *
 * @throws ExpectedError when it cannot be made
 */
export async function readOrMake(file: string, make: () => string): Promise<string> {
  const found = await readFile(file, 'utf8').catch((error) => {
    if (codeOf(error) !== 'ENOENT') throw error;
  });
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

/** What is in a file outlives a power cut after this, and in a folder the names of its files (fsync(2)). */
export async function sync(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );
