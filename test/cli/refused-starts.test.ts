import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, readdir, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort } from '../../bench/free-port.ts';
import { type Owner, ownerOfServer } from '../../src/embedded/cluster.ts';
import { readPidFile } from '../../src/embedded/orphan.ts';
import { makeTemporaryFolder } from '../../src/embedded/temporary-folder.ts';
import { until } from '../support/advocate.ts';
import { holdUp } from '../support/held-up.ts';
import { appKeyOf, plainMasterKeys } from '../support/keys.ts';
import { launch, type Program, startProgram, whenReady } from '../support/program.ts';
import { Visitor } from '../support/visitor.ts';

type Environment = Record<string, string>;

let folder: string;
const inFolder = (name: string) => join(folder, name);
beforeAll(async () => {
  folder = await makeTemporaryFolder('refused');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What is said on stderr by a start that fails as a person can mend it: short, and without a stack. */
async function refused(env: Environment, ...args: string[]): Promise<string> {
  return refusedAs({}, env, ...args);
}

async function refusedAs(user: Owner, env: Environment, ...args: string[]): Promise<string> {
  const launched = launch({ PORT: '0', LOG_LEVEL: 'warn', ...env }, { args, user });
  expect(await launched.ended).toEqual({ code: 1, signal: null });
  expect(launched.out()).toBe('');
  expect(launched.err()).not.toMatch(/^\s*at |\{"level"|Error/m);
  return launched.err();
}

/** No server runs on this folder, and the next start has no trouble with it. */
async function expectFree(dataFolder: string): Promise<void> {
  expect(existsSync(join(dataFolder, 'postgres/postmaster.pid'))).toBe(false);
  const program = await startProgram({ PORT: '0', DATA_DIR: dataFolder });
  expect((await new Visitor(program.url).get('/')).status).toBe(200);
  expect(await program.stop()).toBe(0);
}

describe('beside a program that runs', () => {
  let program: Program;
  beforeAll(async () => {
    program = await startProgram({ PORT: '0', DATA_DIR: inFolder('first') });
  }, 90_000);
  afterAll(async () => {
    expect((await new Visitor(program.url).get('/')).status).toBe(200); // it was not disturbed
    expect(await program.stop()).toBe(0);
  });

  it('a second one on the same data folder is refused', async () => {
    expect(await refused({ DATA_DIR: inFolder('first') })).toBe(
      `Another Outspoken already runs on ${inFolder('first')}. Stop it first, or set DATA_DIR to another folder.\n`,
    );
  });

  it.each(['PORT', 'INBOUND_PORT'])(
    'a busy %s is refused, and the folder is free again',
    async (variable) => {
      const ports = [...program.out().matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => port);
      const port = (variable === 'PORT' ? ports[0] : ports.at(-1)) as string;
      expect(await refused({ DATA_DIR: inFolder('second'), [variable]: port })).toBe(
        `Port ${port} on 127.0.0.1 is in use. Set ${variable} to another one, or to 0 for any that is free.\n`,
      );
      await expectFree(inFolder('second'));
    },
  );
});

describe('of two that start at once on a new data folder', () => {
  it('one runs, and the other is refused', async () => {
    const env = { PORT: '0', DATA_DIR: inFolder('both') };
    const both = [launch(env), launch(env)];
    const ready = () => both.filter((one) => one.out().includes('Outspoken is ready'));
    const over = () => both.filter((one) => one.isOver());
    await until(async () => ready().length + over().length === 2, 'both', 90_000);
    expect([ready().length, over().length]).toEqual([1, 1]);
    expect(over()[0]?.err()).toMatch(/^Another Outspoken already runs on [^\n]*\n$/);
    ready()[0]?.child.kill('SIGTERM');
    expect((await ready()[0]?.ended)?.code).toBe(0);
  });

  it.each([
    { at: 'connect', before: 'PGSQL' },
    { at: 'query', before: 'pg_advisory_lock' },
  ])('the one whose server the other takes for an orphan is refused: $at', async (moment) => {
    const env = { PORT: '0', LOG_LEVEL: 'warn', DATA_DIR: inFolder(`orphan-${moment.at}`) };
    expect(await (await startProgram(env)).stop()).toBe(0);
    const begin = (variables: Environment) => launch({ ...env, ...variables });
    const early = await holdUp(folder, moment, begin);
    const pidFile = inFolder(`orphan-${moment.at}/postgres/postmaster.pid`);
    await until(async () => existsSync(pidFile), 'a server');
    const late = await holdUp(folder, { at: 'kill', before: 'SIGINT' }, begin);
    if (moment.at === 'query') {
      await early.goOn();
      await new Promise((resolve) => setTimeout(resolve, 1000)); // if it could own its server, it would by now
    }
    await late.goOn();
    const program = await whenReady(late.launched);
    await early.goOn();
    expect(await early.launched.ended).toEqual({ code: 1, signal: null });
    expect(early.launched.said()).toMatch(/^Another Outspoken already runs on [^\n]*\n$/);
    expect(await program.stop()).toBe(0);
  });

  it('the one that such a server leaves at its door when it ends is refused', async () => {
    const dataFolder = inFolder('door');
    const env = { PORT: '0', LOG_LEVEL: 'warn', DATA_DIR: dataFolder };
    expect(await (await startProgram(env)).stop()).toBe(0);
    const { launched, goOn } = await holdUp(folder, { at: 'connect', before: 'PGSQL' }, (variables) =>
      launch({ ...env, ...variables }),
    );
    const server = await until(() => readPidFile(join(dataFolder, 'postgres')), 'a server');
    const door = join(server.socketFolder, '.s.PGSQL.5432');
    await until(async () => existsSync(door), 'its door');
    process.kill(server.pid, 'SIGINT');
    await until(async () => !existsSync(door), 'its end');
    // who comes while it goes is neither refused nor answered: what they said is thrown away (ECONNRESET)
    const leaving = createServer({ pauseOnConnect: true }, (visitor) =>
      setTimeout(() => visitor.destroy(), 100),
    );
    await new Promise<void>((resolve) => leaving.listen(door, resolve));
    await goOn();
    expect(await launched.ended).toEqual({ code: 1, signal: null });
    await new Promise((resolve) => leaving.close(resolve));
    expect(launched.said()).toMatch(/^Another Outspoken already runs on [^\n]*\n$/);
    await expectFree(dataFolder);
  });
});

describe('a data folder that cannot be used', () => {
  it('because a file is in its place or in the way, or nothing can be made there, is named with the variable', async () => {
    await writeFile(inFolder('file'), '');
    const nowhere = existsSync('/proc/self') ? ['/proc/outspoken/data'] : [];
    for (const path of [inFolder('file'), inFolder('file/data'), ...nowhere]) {
      const said = await refused({ DATA_DIR: path });
      expect(said).toMatch(/^The data folder .* cannot be written \([A-Z]+: .*\)\. Set DATA_DIR to .*\n$/);
      expect(said).toContain(` ${path} `);
    }
    expect((await readdir(folder)).filter((name) => name.startsWith('file'))).toEqual(['file']);
  });

  it('because its password was lost is told so, and no server of it goes on', async () => {
    const dataFolder = inFolder('password');
    await expect(startProgram({ PORT: '0', DATA_DIR: dataFolder }).then((one) => one.stop())).resolves.toBe(
      0,
    );
    await rm(join(dataFolder, 'postgres-password'));
    const scratch = await makeTemporaryFolder('scratch');
    expect(await refused({ DATA_DIR: dataFolder, TMPDIR: scratch })).toMatch(
      /^The embedded PostgreSQL in .*\/password\/postgres refuses the password in .*\/postgres-password\. .*\n$/,
    );
    expect(existsSync(join(dataFolder, 'postgres/postmaster.pid'))).toBe(false);
    await rmdir(scratch); // nothing is in it
  });
});

describe('a data folder whose key was lost', () => {
  it('gets no other one in its place, and is of use again when it is back', async () => {
    const dataFolder = inFolder('keyless');
    expect(await (await startProgram({ PORT: '0', DATA_DIR: dataFolder })).stop()).toBe(0);
    const file = join(dataFolder, 'app-key');
    await rename(file, inFolder('key'));
    expect(await refused({ DATA_DIR: dataFolder })).toMatch(
      /^\/.*\/app-key is missing, .* Put it back: .*\n$/,
    );
    expect(existsSync(file)).toBe(false);
    await rename(inFolder('key'), file);
    await expectFree(dataFolder);
  });
});

describe('a data folder in which something is another user’s, as after a command that root ran', () => {
  it.each(['app-key', 'postgres-password', 'postgres', 'high-water'])(
    'is refused for its %s, which is neither made anew nor said to be lost, and is of use again',
    async (name) => {
      const user = await ownerOfServer();
      const dataFolder = inFolder(`others-${name}`);
      await mkdir(dataFolder);
      if ('uid' in user) await chown(dataFolder, user.uid, user.gid);
      const env = { PORT: '0', DATA_DIR: dataFolder };
      expect(await (await startProgram(env, { user })).stop()).toBe(0);
      await mkdir(join(dataFolder, 'postgres-before-2026-11-26T110215')); // what a restore moved aside
      await chmod(join(dataFolder, name), 0);
      expect(await refusedAs(user, env)).toMatch(
        new RegExp(`/${name}\\b[^\n]* cannot be read \\(EACCES: [^\n]* user who runs [^\n]*\n$`),
      );
      await chmod(join(dataFolder, name), (await stat(join(dataFolder, name))).isDirectory() ? 0o700 : 0o600);
      expect(await (await startProgram(env, { user })).stop()).toBe(0);
    },
  );

  (process.getuid?.() === 0 ? it : it.skip)(
    'is refused to root, whose PostgreSQL runs as another user',
    async () => {
      const dataFolder = inFolder('others');
      expect(await (await startProgram({ PORT: '0', DATA_DIR: dataFolder })).stop()).toBe(0);
      await chown(join(dataFolder, 'postgres'), 0, 0);
      const said = await refused({ DATA_DIR: dataFolder });
      expect(said).toMatch(
        /^The embedded PostgreSQL ended at once: .*permission denied.* run this as that user\.\n$/is,
      );
      expect(said).toContain(` ${dataFolder}/postgres does not belong `);
    },
  );
});

describe('a pid file that a power cut left behind', () => {
  it('is named, with what to do, where its number is that of another process by now', async () => {
    const dataFolder = inFolder('cut');
    expect(await (await startProgram({ PORT: '0', DATA_DIR: dataFolder })).stop()).toBe(0);
    const file = join(dataFolder, 'postgres/postmaster.pid');
    const bystander = spawn('sleep', ['600'], { ...(await ownerOfServer()), stdio: 'ignore' });
    await writeFile(file, `${bystander.pid}\n${dataFolder}/postgres\n1\n5432\n/nowhere\n\n`);
    try {
      const said = await refused({ DATA_DIR: dataFolder });
      expect(said).toMatch(/^Another Outspoken already runs on [^\n]*\n$/);
      expect(said).toContain(`If process ${bystander.pid} is something else`);
      expect(said).toContain(`remove ${file}.`);
    } finally {
      bystander.kill();
    }
    await rm(file);
    await expectFree(dataFolder);
  });
});

describe('a folder for temporary files that will not do', () => {
  it('is named, with what to do', async () => {
    const long = inFolder('x'.repeat(90));
    await mkdir(long);
    await chmod(long, 0o777);
    for (const TMPDIR of [inFolder('none'), long]) {
      const said = await refused({ DATA_DIR: inFolder('temporary'), TMPDIR });
      expect(said).toMatch(/^The embedded PostgreSQL gets no socket in [^\n]* Set TMPDIR to [^\n]*\n$/);
      expect(said).toContain(` ${TMPDIR} `);
    }
    expect(await readdir(long)).toEqual([]);
    await expectFree(inFolder('temporary'));
  });
});

describe('settings that are wrong', () => {
  it('are all told at once, and nothing was begun', async () => {
    const said = await refused(
      { PORT: 'eighty', LOG_LEVEL: 'loud', SMTP_URL: 'x', DATA_DIR: inFolder('never') },
      ...['--role', 'web', '--role', 'king'],
    );
    const [title, ...lines] = said.trimEnd().split('\n');
    expect(title).toBe('Outspoken cannot start with these settings:');
    for (const about of ['PORT', 'LOG_LEVEL', 'SMTP_URL', '--role king'])
      expect(lines.filter((line) => line.startsWith(`  - ${about} `)).length).toBeGreaterThan(0);
    expect(existsSync(inFolder('never'))).toBe(false);
  });

  it.each([[['--rolle', 'web']], [['web']], [['--role']]])(
    'among the arguments are told: %j',
    async (args) => {
      const said = await refused({ DATA_DIR: inFolder('never') }, ...args);
      expect(said).toMatch(/^[^\n]+\nUsage: npm start \[-- --role web\|worker\|inbound\]\n$/);
      expect(existsSync(inFolder('never'))).toBe(false);
    },
  );

  it('such as a database that nobody serves are told, without the address that may hold a password', async () => {
    const said = await refused({
      DATABASE_URL: `postgres://outspoken:S3cret@127.0.0.1:${await freePort()}/outspoken`,
      APP_KEY: appKeyOf(plainMasterKeys(1)),
      DATA_DIR: inFolder('unserved'),
    });
    expect(said).toBe('The PostgreSQL server of DATABASE_URL cannot be used: nothing listens there.\n');
  });
});
