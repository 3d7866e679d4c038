import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ExpectedError } from '../expected.ts';
import { noSocket } from './cluster.ts';

/** Why an embedded PostgreSQL does not start, and what a person can do about it. */

/** Somebody else has the data folder. */
export class FolderInUse extends ExpectedError {}

export function inUse(dataFolder: string): FolderInUse {
  return new FolderInUse(
    `Another Outspoken already runs on ${dirname(dataFolder)}. Stop it first, or set DATA_DIR to another folder.`,
  );
}

/** A server with much to write takes its time; killed meanwhile, it would have to make it good at the next start. */
export function stillEnding(dataFolder: string, pid: number): FolderInUse {
  return new FolderInUse(
    `The PostgreSQL that an earlier Outspoken left on ${dirname(dataFolder)}, process ${pid}, was told to end and has not yet. Wait until it has, then try again.`,
  );
}

/** A server that recovers, or writes what it has to before it ends, is not disturbed: it would begin again. */
export function stillBusy(dataFolder: string, pid: number, why: 'starts' | 'ends'): FolderInUse {
  const does = why === 'ends' ? 'ending' : 'making good what a sudden end left undone';
  return new FolderInUse(
    `The PostgreSQL of another Outspoken on ${dirname(dataFolder)}, process ${pid}, is still ${does}. Wait until it has, or end it, then try again.`,
  );
}

export function wrongPassword(dataFolder: string): ExpectedError {
  return new ExpectedError(
    `The embedded PostgreSQL in ${dataFolder} refuses the password in ${dataFolder}-password. Put back the file that was made with it.`,
  );
}

/** @param said what the server wrote before it ended */
export async function startFailed(said: string, dataFolder: string): Promise<ExpectedError> {
  if (/lock file "postmaster\.pid"/.test(said)) return locked(dataFolder);
  // who starts in the same moment took it for an orphan, and goes on with its own
  if (/received fast shutdown request|database system is shut down/.test(said)) return inUse(dataFolder);
  if (/could not (open|create) (lock file ".*\.lock"|any Unix-domain sockets)/.test(said)) return noSocket();
  const hint = /permission denied|wrong ownership/i.test(said) ? `\n${whose(dataFolder)}` : '';
  return new ExpectedError(`The embedded PostgreSQL ended at once: ${said.slice(-600)}${hint}`);
}

function whose(dataFolder: string): string {
  return process.getuid?.() === 0
    ? `Started by root, PostgreSQL runs as another user, and ${dataFolder} does not belong to that one. If an ordinary user runs the instance, run this as that user.`
    : `Run this as the user who runs the instance; everything in ${dirname(dataFolder)} must belong to that user.`;
}

/** After a power cut, the number in the pid file may be that of anybody. Only a person can tell for sure. */
async function locked(dataFolder: string): Promise<FolderInUse> {
  const file = `${dataFolder}/postmaster.pid`;
  const [pid] = (await readFile(file, 'utf8').catch(() => '')).split('\n');
  const known = inUse(dataFolder);
  if (!pid) return known;
  return new FolderInUse(
    `${known.message} If process ${pid} is something else, as it can be after a power cut, remove ${file}.`,
  );
}
