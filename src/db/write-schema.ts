import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { startPostgres } from '../embedded/postgres.ts';
import { makeTemporaryFolder } from '../embedded/temporary-folder.ts';
import { projectRoot } from '../root.ts';
import { describeSchema } from './describe-schema.ts';
import { migrate } from './migrate.ts';

// `npm run schema`: writes src/db/schema.sql anew from the migrations, with a PostgreSQL of its own.
const folder = await makeTemporaryFolder('schema');
const postgres = await startPostgres(folder);
try {
  await migrate(postgres.url);
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  await writeFile(join(projectRoot, 'src/db/schema.sql'), await describeSchema(client));
  await client.end();
} finally {
  await postgres.close();
  await rm(folder, { recursive: true, force: true });
}
