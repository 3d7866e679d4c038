import { join } from 'node:path';
import { runner } from 'node-pg-migrate';
import { projectRoot } from '../root.ts';
import { checkFitness, openClient } from './usable.ts';

/**
 * Brings the database to the newest schema, in one transaction, while any other starting process waits
 * (an advisory lock). A database that is already there is left alone.
 *
 * @throws ExpectedError when it is none that the schema fits
 */
export async function migrate(url: string): Promise<void> {
  const client = openClient({
    connectionString: url,
    application_name: 'outspoken-migrate',
    connectionTimeoutMillis: 10_000,
  });
  client.on('error', () => {}); // the statement that is under way tells
  await client.connect();
  try {
    await checkFitness(client);
    await runner({
      dbClient: client,
      dir: join(projectRoot, 'src/db/migrations'),
      direction: 'up',
      migrationsTable: 'migration',
      checkOrder: true,
      singleTransaction: true,
      advisoryLockMode: 'wait',
      log: () => {},
    });
  } finally {
    await client.end();
  }
}
