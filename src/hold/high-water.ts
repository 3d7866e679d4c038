import { mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, ExpectedError, reasonOf } from '../expected.ts';
import { sync } from '../whole-file.ts';

/**
 * The mark that stands outside the database: an empty shell of a file, whose name says it all,
 * `<instance>.<mark>`. So writing it is making a file, several processes may share a folder without waiting for
 * each other, and none can lower what another one raised: the highest counts.
 */
export type HighWater = {
  folder: string;
  /** The highest mark of each instance that was ever written here. */
  read(): Promise<Outside>;
  /** When this resolves, the mark outlives a power cut. */
  write(instance: string, mark: number): Promise<void>;
  /** Says, for whoever looks next, that a backup was put into the database's place; or that it was seen. */
  noteRestore(): Promise<void>;
  forgetRestore(): Promise<void>;
  /** Drops what was written for other instances. */
  forgetOthers(instance: string): Promise<void>;
};

export type Outside = { marks: Map<string, number>; restored: boolean };

const restored = 'restored';
const words =
  'How far this instance has sent letters, by the name of this file. Keep it when you restore a backup.\n';

export function openHighWater(dataDir: string): HighWater {
  const folder = join(dataDir, 'high-water');

  async function names(): Promise<string[]> {
    const all = await readdir(folder).catch((error) => {
      if (codeOf(error) === 'ENOENT') return [];
      throw new ExpectedError(
        `The high-water mark in ${folder} cannot be read (${reasonOf(error)}). ${which} ${why}`,
      );
    });
    return all.filter((name) => !name.startsWith('.'));
  }

  async function put(name: string): Promise<void> {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await writeNew(join(folder, name));
      await sync(folder);
    } catch (error) {
      throw new ExpectedError(
        `The high-water mark cannot be written into ${folder} (${reasonOf(error)}). ${which} ${why}`,
      );
    }
  }

  return {
    folder,
    async read() {
      const marks = new Map<string, number>();
      const all = await names();
      for (const name of all) {
        if (name === restored) continue;
        const { instance, mark } = readName(name) ?? unreadable(folder, name);
        marks.set(instance, Math.max(mark, marks.get(instance) ?? 0));
      }
      return { marks, restored: all.includes(restored) };
    },
    async write(instance, mark) {
      await put(`${instance}.${mark}`);
      for (const name of await names()) {
        const other = readName(name);
        if (other?.instance === instance && other.mark < mark) await rm(join(folder, name), { force: true });
      }
    },
    noteRestore: () => put(restored),
    forgetRestore: () => rm(join(folder, restored), { force: true }),
    async forgetOthers(instance) {
      for (const name of await names()) {
        const other = readName(name);
        if (other && other.instance !== instance) await rm(join(folder, name), { force: true });
      }
    },
  };
}

/** One that is there says it all by its name, and may be root's, who has reconciled. */
async function writeNew(path: string): Promise<void> {
  try {
    const file = await open(path, 'wx', 0o600);
    try {
      await file.write(words);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

/** Who follows this is not led to a folder without a mark, where nothing would be held. */
const which =
  'DATA_DIR must be the folder that it always was, and belong to the user who runs Outspoken: another folder has no mark.';

/** Without it, nobody could tell a restored database from the one that sent the letters. */
const why = 'It tells whether letters went out that the database has forgotten; without it, nothing is sent.';

function readName(name: string): { instance: string; mark: number } | undefined {
  const [, instance, mark] = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(\d{1,15})$/.exec(name) ?? [];
  return instance && mark ? { instance, mark: Number(mark) } : undefined;
}

function unreadable(folder: string, name: string): never {
  throw new ExpectedError(
    `In ${folder}, the file ${name} is no high-water mark. ${why} Remove the file if it is not ours; if the marks were damaged, remove the folder and run: npm run reconcile -- --hold`,
  );
}
