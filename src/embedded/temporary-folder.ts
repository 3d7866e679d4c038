import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * A folder of its own for a PostgreSQL that is thrown away: for the demo, the bench, the schema and the tests.
 * Everybody may pass through, since a server that root starts runs as another user; what lies in it is closed.
 */
export async function makeTemporaryFolder(purpose: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `outspoken-${purpose}-`));
  await chmod(folder, 0o711);
  return folder;
}
