import { type ChildProcess, spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { findRunningPostgres } from '../../src/embedded/orphan.ts';
import { makeTemporaryFolder } from '../../src/embedded/temporary-folder.ts';
import { projectRoot } from '../../src/root.ts';
import { until } from '../support/advocate.ts';
import { runProgram } from '../support/commands.ts';
import { bring } from '../support/mail-client.ts';

describe('npm start with nothing configured', () => {
  let child: ChildProcess;
  let folder: string;
  let port: number;
  let log = '';
  beforeAll(async () => {
    folder = await makeTemporaryFolder('inbound');
    child = spawn(process.execPath, [join(projectRoot, 'dist/src/main.js')], {
      env: { PATH: process.env.PATH, PORT: '0', DATA_DIR: folder, LOG_LEVEL: 'info' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stderr?.on('data', (chunk) => {
      log += chunk;
    });
    const ready = await new Promise<string>((resolve, reject) => {
      createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
        if (line.startsWith('Outspoken is ready')) resolve(line);
      });
      child.once('exit', () => reject(new Error(`Outspoken did not start: ${log}`)));
    });
    port = Number(/inbound: smtp:\/\/127\.0\.0\.1:(\d+)/.exec(ready)?.[1]);
  }, 60_000);
  afterAll(async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
    await rm(folder, { recursive: true, force: true });
  });

  const beside = (...args: string[]) => runProgram(args, { env: { DATA_DIR: folder } });

  it('says where it takes mail that comes back, and takes it', async () => {
    expect(port).toBeGreaterThan(0);
    const raw = 'Message-ID: <1@brand.example>\nFrom: somebody@brand.example\n\nHello from a stranger\n';
    const answers = await bring(port, { to: 'postmaster', from: 'somebody@brand.example', raw });
    expect(answers.at(-1)).toMatch(/^250 /);
  });

  it('lets the commands work beside it, on the database that it has started', async () => {
    const listed = await beside('pen');
    expect(listed).toMatchObject({ status: 0, out: expect.stringMatching(/^1 {2}\S+ {2}postmaster {2}/) });
    expect((await beside('pen', 'show', '1')).out).toContain('Hello from a stranger');
    expect((await beside('unknown')).out).toBe('0 letters are unknown.\n');
    expect((await beside('contacts')).out).toBe('No contact is suspended.\n');
    expect(await beside('pen', 'drop', '7')).toMatchObject({
      status: 1,
      err: 'There is no mail 7 in the pen.\n',
    });
    expect(child.exitCode).toBeNull();
  });

  it('says once in its log when a contact is suspended, by its id and no address', async () => {
    const client = new pg.Client({ connectionString: await findRunningPostgres(folder) });
    await client.connect();
    await client.query("update contact set health = 'suspended', failures = 3 where id = 2");
    const told = () => log.split('\n').filter((line) => line.includes('a contact is suspended'));
    await until(async () => told().length > 0, 'a line of the log', 30_000);
    await client.query("update contact set health = 'suspended', failures = 3 where id = 3");
    await until(async () => told().length > 1, 'another line of the log', 30_000);
    await client.end();
    expect(told().map((line) => JSON.parse(line).contact)).toEqual([2, 3]);
    expect(log).not.toMatch(/@/);
  });
});
