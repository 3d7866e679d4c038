import { rmSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rm, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { ExpectedError, reasonOf } from '../expected.ts';
import type { Logger } from '../log.ts';
import { beginLogbook, endLogbook, type Found, type Logbook, readLogbook } from './logbook.ts';

/** The logbooks of the workers that share a data folder. */
export type Logbooks = {
  /** The name under which this worker's are kept, which no other worker has, of whatever database. */
  readonly name: string;
  /** What a logbook does not say can be relied on, if this machine tells one boot from another. */
  readonly isReliable: boolean;
  /**
   * To be called before the bundle is taken.
   *
   * @throws when it cannot be made, or there is no room for it
   */
  open(bundleId: string): Logbook;
  /**
   * Takes a bundle from whoever writes its logbook, and reads it. If they are alive after all, nothing more leaves.
   *
   * @returns undefined: it is not in this data folder, or cannot be read
   */
  takeOver(name: string, bundleId: string): Found | undefined;
  discard(name: string, bundleId: string): void;
  /** The logbooks that nobody has written to for a while. */
  old(): Promise<{ name: string; bundleId: string }[]>;
};

/** A logbook may wait so long for the database to know of it, in milliseconds. */
const aWhile = 60_000;

/**
 * File systems of which all processes of a machine see the same at once (statfs(2)): on others, such as NFS, what one has
 * written may not be there yet for another one.
 */
const local = new Set([
  0xef53, // ext4
  0x58465342, // XFS
  0x9123683e, // Btrfs
  0x01021994, // tmpfs
  0x794c7630, // overlayfs
  0x2fc12fc1, // ZFS
  0xf2f52010, // F2FS
]);

type Options = {
  /** A UUID. */
  name: string;
  log: Logger;
  /** What tells this boot of the machine from every other one; unset: what the system says, if it can be relied on. Null: nothing does. */
  boot?: string | null;
};

/** @throws ExpectedError when none can be written */
export async function openLogbooks(dataDir: string, { name, log, boot }: Options): Promise<Logbooks> {
  const folder = join(dataDir, 'logbooks');
  await prepare(folder, name);
  const reliableBoot = boot === undefined ? await bootOf(folder) : (boot ?? undefined);
  const pathOf = (of: string, bundleId: string) => join(folder, `${of}.${bundleId}`);
  const discard = (of: string, bundleId: string) => rmSync(pathOf(of, bundleId), { force: true });
  const unwritten = new Set<() => void>();
  return {
    name,
    isReliable: reliableBoot !== undefined,
    open: (bundleId) =>
      beginLogbook(pathOf(name, bundleId), {
        boot: reliableBoot,
        onTrouble: () => log.error({ bundle: bundleId }, 'a logbook cannot be written: its letters wait'),
        unwritten,
      }),
    takeOver(of, bundleId) {
      try {
        const text = endLogbook(pathOf(of, bundleId));
        return text === undefined ? undefined : readLogbook(text, reliableBoot);
      } catch (error) {
        log.error({ bundle: bundleId, err: error }, 'a logbook cannot be read');
        return undefined;
      }
    },
    discard,
    async old() {
      const names = await readdir(folder);
      const ages = await Promise.all(
        names.map((file) =>
          stat(join(folder, file)).then(
            ({ mtimeMs }) => Date.now() - mtimeMs,
            () => 0,
          ),
        ),
      );
      return names.flatMap((file, n) => {
        const [, of, bundleId] = /^([0-9a-f-]{36})\.(\d+)$/.exec(file) ?? [];
        return of && bundleId && (ages[n] ?? 0) > aWhile ? [{ name: of, bundleId }] : [];
      });
    },
  };
}

/** Finds out before the first bundle whether logbooks can be kept. */
async function prepare(folder: string, name: string): Promise<void> {
  const probe = join(folder, `${name}.probe`);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await (await open(probe, 'w', 0o600)).close();
    await rm(probe);
  } catch (error) {
    throw new ExpectedError(
      `The logbooks cannot be written into ${folder} (${reasonOf(error)}). They tell which letters have left; without them, nothing is sent. Everything in DATA_DIR must belong to the user who runs Outspoken.`,
    );
  }
}

/** On Linux each boot of a machine has a name of its own (random(4)); undefined where it would prove nothing. */
async function bootOf(folder: string): Promise<string | undefined> {
  const { type } = await statfs(folder);
  if (!local.has(type)) return undefined;
  return readFile('/proc/sys/kernel/random/boot_id', 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  );
}
