import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { appendFile, mkdir, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { endOrphan, findRunningPostgres } from '../../src/embedded/orphan.ts';
import { startPostgres } from '../../src/embedded/postgres.ts';
import { makeTemporaryFolder } from '../../src/embedded/temporary-folder.ts';
import { until } from '../support/advocate.ts';
import { runProgram } from '../support/commands.ts';
import { belongingsOf, isRunning, serverOf } from '../support/left-behind.ts';
import { launch, startProgram, whenReady } from '../support/program.ts';

let folder: string;
let env: { PORT: string; DATA_DIR: string; LOG_LEVEL: string };
beforeAll(async () => {
  folder = await makeTemporaryFolder('leftovers');
  env = { PORT: '0', DATA_DIR: join(folder, 'data'), LOG_LEVEL: 'warn' };
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const passwordOf = (dataFolder: string) => readFile(join(dataFolder, 'postgres-password'), 'utf8');

/** The id of a process that was. */
async function endedPid(): Promise<number> {
  const child = spawn('true');
  await new Promise((resolve) => child.once('exit', resolve));
  return child.pid as number;
}

/** Puts into a data folder what a start, or a restore, with this id would have there. */
async function leave(dataFolder: string, pid: number): Promise<string[]> {
  const folders = [`postgres-new-${pid}`, `restoring-${pid}`];
  const files = [`postgres-new-${pid}.password`, `app-key.part-${pid}`, `postgres-password.part-${pid}`];
  for (const name of folders) {
    await mkdir(join(dataFolder, name, 'base'), { recursive: true });
    await writeFile(join(dataFolder, name, 'base/1'), 'x');
  }
  for (const name of files) await writeFile(join(dataFolder, name), 'x');
  return [...folders, ...files];
}

async function listens(dataFolder: string): Promise<boolean> {
  const found = await serverOf(dataFolder).catch(() => undefined);
  return found !== undefined && existsSync(join(found.sockets, '.s.PGSQL.5432'));
}

describe('a start', () => {
  it('removes what those left in its data folder that were killed, and nothing of those that live', async () => {
    const dead = await leave(env.DATA_DIR, await endedPid());
    const living = await leave(env.DATA_DIR, process.pid);
    const kept = ['postgres-new', 'restoring-soon', 'my app-key.part-1', 'postgres-before-1'];
    for (const name of kept) await writeFile(join(env.DATA_DIR, name), 'x');
    expect(await (await startProgram(env)).stop()).toBe(0);
    const left = await readdir(env.DATA_DIR);
    expect(left).toEqual(expect.arrayContaining([...living, ...kept, 'postgres', 'app-key']));
    expect(left.filter((name) => dead.includes(name))).toEqual([]);
  });

  it('takes what has its own id for that of an earlier one, as in a container, where all have the same', async () => {
    const dataFolder = join(folder, 'container');
    const left = await leave(dataFolder, process.pid);
    await (await startPostgres(dataFolder)).close();
    expect((await readdir(dataFolder)).filter((name) => left.includes(name))).toEqual([]);
  });

  it('removes the folder of the socket of a server that was killed with its owner', async () => {
    const program = await startProgram(env);
    const { pid, sockets } = await serverOf(env.DATA_DIR);
    program.child.kill('SIGKILL');
    process.kill(pid, 'SIGKILL');
    await program.ended;
    expect(existsSync(sockets)).toBe(true);
    expect(await (await startProgram(env)).stop()).toBe(0);
    expect(existsSync(sockets)).toBe(false);
  });

  it('leaves a server that does not end where it is, and says so', async () => {
    const program = await startProgram(env);
    const { pid, sockets } = await serverOf(env.DATA_DIR);
    // a server waits for its sessions to end
    const client = new pg.Client({ connectionString: await findRunningPostgres(env.DATA_DIR) });
    client.on('error', () => {});
    await client.connect();
    const session = (await client.query('select pg_backend_pid() as pid')).rows[0].pid as number;
    process.kill(session, 'SIGSTOP');
    try {
      program.child.kill('SIGKILL');
      await program.ended;
      const refused = launch(env);
      expect(await refused.ended).toEqual({ code: 1, signal: null });
      const [said, ...rest] = refused.err().split('\n');
      expect(JSON.parse(said ?? '').msg).toBe(
        `waiting for the PostgreSQL of another Outspoken on this data folder, process ${pid}, to end`,
      );
      expect(rest.join('\n')).toBe(
        `The PostgreSQL that an earlier Outspoken left on ${env.DATA_DIR}, process ${pid}, was told to end and has not yet. Wait until it has, then try again.\n`,
      );
      expect(isRunning(pid)).toBe(true);
      expect(existsSync(join(sockets, '.s.PGSQL.5432'))).toBe(true);
    } finally {
      process.kill(session, 'SIGCONT');
    }
    await until(async () => !isRunning(pid), 'a server that has ended', 60_000);
    expect(await (await startProgram(env)).stop()).toBe(0);
    await client.end().catch(() => {});
    await rmdir(sockets); // the server itself has cleared it
  });

  it('says that it waits for a server that is not through with its recovery, and goes on when that is', async () => {
    const dataFolder = join(folder, 'recovering');
    const own = { ...env, DATA_DIR: dataFolder };
    expect(await (await startProgram(own)).stop()).toBe(0);
    const settings = join(dataFolder, 'postgres/postgresql.auto.conf');
    const [before, standby] = [await readFile(settings), join(dataFolder, 'postgres/standby.signal')];
    await appendFile(settings, 'hot_standby = off\n');
    await writeFile(standby, ''); // its recovery has no end, and nobody can ask it anything meanwhile
    const owner = launch(own);
    await until(() => listens(dataFolder), 'a server', 60_000);
    const { pid } = await serverOf(dataFolder);
    owner.child.kill('SIGKILL');
    await owner.ended;

    const patience = { warn: () => {}, busy: 100 };
    await expect(
      endOrphan(join(dataFolder, 'postgres'), await passwordOf(dataFolder), patience),
    ).rejects.toThrow(
      `The PostgreSQL of another Outspoken on ${dataFolder}, process ${pid}, is still making good what a sudden end left undone.`,
    );
    const waiting = launch(own);
    await until(async () => waiting.isOver() || waiting.err() !== '', 'a line', 60_000);
    expect(JSON.parse(waiting.err()).msg).toBe(
      `waiting for the PostgreSQL of another Outspoken on this data folder, process ${pid}: it makes good what a sudden end left undone`,
    );
    await writeFile(settings, before);
    await rm(standby);
    process.kill(pid, 'SIGINT');
    expect(await (await whenReady(waiting)).stop()).toBe(0);
  });

  it('waits for a server that was killed and has not been collected yet', async () => {
    const dataFolder = join(folder, 'container');
    // what ended stays for as long as its parent, which waits for nobody, goes on
    const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 1']);
    const pid = Number(await new Promise((resolve) => parent.stdout.once('data', resolve)));
    const written = [pid, join(dataFolder, 'postgres'), 0, 5432, join(folder, 'nowhere'), ''].join('\n');
    await writeFile(join(dataFolder, 'postgres/postmaster.pid'), written);
    await (await startPostgres(dataFolder)).close();
    expect(existsSync(join(dataFolder, 'postgres/postmaster.pid'))).toBe(false);
  });

  it('ends the server on which a restore that was killed tried out its backup', async () => {
    const file = join(folder, 'backup');
    expect(await runProgram(['backup', file], { env })).toMatchObject({ status: 0, err: '' });
    const restore = launch(env, { script: 'src/commands/main', args: ['restore', file, '--replace'] });
    const staged = join(env.DATA_DIR, `restoring-${restore.pid}`);
    await until(async () => restore.isOver() || (await listens(staged)), 'a server on the backup', 60_000);
    const belongings = await belongingsOf(staged, '');
    restore.child.kill('SIGKILL');
    expect(await restore.ended).toEqual({ code: null, signal: 'SIGKILL' });
    expect(await belongings.left()).toContain('the PostgreSQL server');
    expect(await (await startProgram(env)).stop()).toBe(0);
    expect(await belongings.left()).toEqual([]);
    expect(await readdir(env.DATA_DIR)).not.toContain(`restoring-${restore.pid}`);
  });
});
