import { randomBytes } from 'node:crypto';
import pg from 'pg';
import type { Database } from '../../src/db/database.ts';
import { databaseOf } from '../../src/embedded/postgres.ts';

const server = () => process.env.TEST_POSTGRES_URL as string;

/** A database of its own for a test file: a clone of the migrated template. */
export async function cloneDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  return cloneOf('template_outspoken');
}

/** A database in which nothing is, not even our tables. */
export async function emptyDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  return cloneOf('template0');
}

/** A copy of a database that nobody is connected to, as a backup holds it. */
export async function copyDatabase(url: string): Promise<{ url: string; drop(): Promise<void> }> {
  return cloneOf(/\/(\w+)\?/.exec(url)?.[1] ?? '');
}

/** One that somebody made without minding its encoding. */
export async function latinDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  return cloneOf('template0', "encoding 'LATIN1' locale_provider libc locale 'C'");
}

async function cloneOf(template: string, more = ''): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `test_${randomBytes(6).toString('hex')}`;
  await onServer(`create database ${name} template ${template} ${more}`);
  return {
    url: databaseOf(server(), name),
    drop: () => onServer(`drop database ${name} with (force)`),
  };
}

/** Runs a statement on the server that all tests share: for roles and the like. */
export async function onServer(text: string): Promise<void> {
  const client = new pg.Client({ connectionString: server() });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

/** A database that does what the first statement or transaction says, and whose answer is lost. */
export function losingTheFirstAnswer(database: Database): Database {
  let isLost = false;
  const lose = <Answer>(answer: Answer): Answer => {
    if (isLost) return answer;
    isLost = true;
    throw Object.assign(new Error('Connection terminated unexpectedly'), { code: 'ECONNRESET' });
  };
  return {
    ...database,
    rows: async (statement, values) => lose(await database.rows(statement, values)),
    row: async (statement, values) => lose(await database.row(statement, values)),
    transaction: async (work) => lose(await database.transaction(work)),
  };
}
