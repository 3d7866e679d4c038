import { runMigrations } from 'bullmq';
import pg from 'pg';
import { migrate } from '../../src/db/migrate.ts';
import { databaseOf, type EmbeddedPostgres, startPostgres } from '../../src/embedded/postgres.ts';
import { makeTemporaryFolder } from '../../src/embedded/temporary-folder.ts';

declare global {
  var outspokenTest: { postgres: EmbeddedPostgres; folder: string };
}

/** One PostgreSQL for the whole run, with a migrated template that each test clones (test/README.md). */
export default async function setUp(): Promise<void> {
  const folder = await makeTemporaryFolder('test');
  const postgres = await startPostgres(folder);
  globalThis.outspokenTest = { postgres, folder };
  process.env.TEST_POSTGRES_URL = postgres.url;
  await withClient(postgres.url, (client) => client.query('create database template_outspoken'));
  const template = databaseOf(postgres.url, 'template_outspoken');
  await migrate(template);
  await withClient(template, (client) => runMigrations(client));
}

async function withClient(url: string, work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await work(client);
  await client.end();
}
