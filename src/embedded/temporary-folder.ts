import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ExpectedError, reasonOf } from '../expected.ts';

/**
 * A folder of its own for a PostgreSQL that is thrown away: for the demo, the bench, the schema and the tests.
 * Everybody may pass through, since a server that root starts runs as another user; what lies in it is closed.
 */
export async function makeTemporaryFolder(purpose: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `outspoken-${purpose}-`)).catch((error) => {
    throw new ExpectedError(
      `The folder for temporary files, ${tmpdir()}, cannot be written (${reasonOf(error)}). Set TMPDIR to another one.`,
    );
  });
  await chmod(folder, 0o711);
  return folder;
}
