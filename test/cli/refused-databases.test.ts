import { createServer, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { migrate } from '../../src/db/migrate.ts';
import { reasonAgainst, unreachable } from '../../src/db/usable.ts';
import { makeTemporaryFolder } from '../../src/embedded/temporary-folder.ts';
import { ExpectedError } from '../../src/expected.ts';
import { emptyDatabase, latinDatabase, onServer } from '../support/database.ts';
import { launch, startProgram } from '../support/program.ts';

const key = (version: number, byte: number) => `${version}:${Buffer.alloc(32, byte).toString('base64')}`;

let DATA_DIR: string;
beforeAll(async () => {
  DATA_DIR = await makeTemporaryFolder('database');
});

/** The one line on stderr with which the pages do not start on this database. */
async function refused(url: string, APP_KEY = key(1, 1)): Promise<string> {
  const env = { DATABASE_URL: url, APP_KEY, DATA_DIR, PORT: '0', LOG_LEVEL: 'warn' };
  const launched = launch(env, { args: ['--role', 'web'] });
  expect(await launched.ended).toEqual({ code: 1, signal: null });
  expect(launched.said()).toMatch(/^[^\n{]+\n$/);
  expect(launched.said()).not.toMatch(/S3cret|Error/);
  return launched.said();
}

describe('a database that cannot be used is told, with the reason', () => {
  let silent: Server;
  let other: Server;
  const port = (server: Server) => (server.address() as { port: number }).port;
  beforeAll(async () => {
    silent = createServer(() => {});
    other = createServer((socket) => socket.on('error', () => {}).end('220 mail.example\r\n'));
    for (const server of [silent, other])
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  afterAll(() => {
    for (const server of [silent, other]) server.close();
  });

  it.each([
    ['says nothing', () => `postgres://u:S3cret@127.0.0.1:${port(silent)}/o`, 'it does not answer'],
    [
      'is something else',
      () => `postgres://u:S3cret@127.0.0.1:${port(other)}/o`,
      'perhaps it is no PostgreSQL',
    ],
    [
      'is something else, asked for TLS',
      () => `postgres://u:S3cret@127.0.0.1:${port(other)}/o?sslmode=verify-full`,
      'it does not speak TLS',
    ],
    [
      'needs a certificate that is not there',
      () => 'postgres://u:S3cret@127.0.0.1:1/o?sslmode=verify-full&sslrootcert=/nowhere/ca.pem',
      'a file that the URL names cannot be read (ENOENT: there is no such file or folder)',
    ],
  ])('when it %s', async (_title, url, reason) => {
    const said = await refused(url());
    expect(said).toContain('The PostgreSQL server of DATABASE_URL cannot be used: ');
    expect(said).toContain(reason);
  });

  it('when it was made in another encoding than UTF-8', async () => {
    const { url, drop } = await latinDatabase();
    expect(await refused(url)).toContain('is LATIN1, and UTF8 is needed');
    await drop();
  });

  it('when it belongs to somebody else, and nothing may be made in it', async () => {
    const { url, drop } = await emptyDatabase();
    await onServer("create role guest login password 'S3cret'");
    try {
      const guest = url.replace(/^postgres:\/\/[^@]+@/, 'postgres://guest:S3cret@');
      expect(await refused(guest)).toContain('which must belong to it');
      expect(await refused(guest.replace(':S3cret@', ':wrong@'))).toContain('it refuses the password');
    } finally {
      await drop();
      await onServer('drop role guest');
    }
  });

  it('when it went away just after it had let us in', () => {
    for (const code of ['ECONNRESET', 'EPIPE']) {
      const said = unreachable(Object.assign(new Error(`write ${code}`), { code }));
      expect(said).toBeInstanceOf(ExpectedError);
      expect((said as Error).message).toContain('it is going down');
    }
  });

  it('when it is of an older version', () => {
    const good = { version: 180_004, encoding: 'UTF8', ours: true };
    expect(reasonAgainst(good)).toBeUndefined();
    expect(reasonAgainst({ ...good, version: 190_000 })).toBeUndefined();
    expect(reasonAgainst({ ...good, version: 170_010 })).toContain('it is PostgreSQL 17, and 18');
  });
});

describe('a key that the database was not written under', () => {
  it('is refused before anything is taken under it; an older one may not be left out', async () => {
    const { url, drop } = await emptyDatabase();
    await migrate(url);
    const start = (APP_KEY: string) =>
      startProgram(
        { DATABASE_URL: url, APP_KEY, DATA_DIR, PORT: '0', SEED: 'true' },
        { args: ['--role', 'web'] },
      );
    try {
      expect(await (await start(key(1, 1))).stop()).toBe(0);
      expect(await refused(url, key(1, 2))).toMatch(/^The key of version 1 .* is not the one that .*\n$/);
      expect(await refused(url, key(2, 2))).toMatch(/^The key of version 1, .*, is missing\. .*\n$/);
      expect(await (await start(`${key(2, 2)},${key(1, 1)}`)).stop()).toBe(0);
    } finally {
      await drop();
    }
  });
});
