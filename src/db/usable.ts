import pg from 'pg';
import { codeOf, ExpectedError, reasonOf } from '../expected.ts';

/** What a person is told when a database of their own cannot be used; other errors stay as they are. */
export function unreachable(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof ExpectedError) return error;
  const code = codeOf(error) ?? '';
  if ('path' in error) return error; // a file of ours
  const reason = byCode[code] ?? byWords.find(([words]) => words.test(error.message))?.[1];
  if (reason) return notUsable(reason);
  return /CERT|SIGNATURE/.test(code) ? notUsable(`its certificate does not hold (${code})`) : error;
}

const byCode: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there',
  ENOENT: 'nothing listens there',
  ECONNRESET: 'it is going down',
  EPIPE: 'it is going down',
  ENOTFOUND: 'its host is not known',
  EAI_AGAIN: 'its host cannot be looked up now',
  ETIMEDOUT: 'it does not answer',
  EHOSTUNREACH: 'there is no way to its host',
  ENETUNREACH: 'there is no way to its host',
  '57P01': 'it is going down',
  '57P02': 'it is going down',
  '57P03': 'it is just starting or going down',
  '53300': 'it has too many connections',
  '28P01': 'it refuses the password',
  '28000': 'it refuses the user',
  '3D000': 'the database does not exist',
};

/** What `pg` says without a code. */
const byWords: [RegExp, string][] = [
  [/timeout expired/, 'it does not answer'],
  [/Connection terminated/, 'it ends the connection; perhaps it is no PostgreSQL'],
  [/does not support SSL/, 'it has no TLS, which the URL asks for'],
  [/establishing an SSL connection/, 'it does not speak TLS as PostgreSQL does; perhaps it is none'],
  [/password must be a string/, 'it wants a password, and there is none in the URL'],
];

/** @throws ExpectedError when the URL names a certificate or a key that cannot be read */
export function openClient(config: pg.ClientConfig): pg.Client {
  try {
    return new pg.Client(config);
  } catch (error) {
    if (!(error instanceof Error && 'path' in error)) throw error;
    throw notUsable(`a file that the URL names cannot be read (${reasonOf(error)})`);
  }
}

const fitness = `
  select current_setting('server_version_num')::int as version, current_setting('server_encoding') as encoding,
    to_regclass('migration') is not null or coalesce(has_schema_privilege(current_schema(), 'create'), false) as ours`;

/**
 * Before anything is made in it.
 *
 * @throws ExpectedError when the server or the database is not what the schema needs
 */
export async function checkFitness(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ version: number; encoding: string; ours: boolean }>(fitness);
  const [server] = rows;
  const unfit = server && reasonAgainst(server);
  if (unfit) throw notUsable(unfit);
}

/** Undefined: it is fit. */
export function reasonAgainst(server: {
  version: number;
  encoding: string;
  ours: boolean;
}): string | undefined {
  const { version, encoding, ours } = server;
  if (version < 180_000) return `it is PostgreSQL ${Math.floor(version / 10_000)}, and 18 or newer is needed`;
  if (encoding !== 'UTF8')
    return `the encoding of the database is ${encoding}, and UTF8 is needed (create database … encoding 'UTF8' template template0)`;
  if (!ours) return 'its user may make no tables in the database, which must belong to it';
  return undefined;
}

function notUsable(reason: string): ExpectedError {
  return new ExpectedError(`The PostgreSQL server of DATABASE_URL cannot be used: ${reason}.`);
}
