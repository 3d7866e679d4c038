import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomId, until } from './advocate.ts';
import type { Launched } from './program.ts';

/** What a process is about to do: `fetch` or `connect` to what matches, or this in `node:fs/promises` with such a path. */
export type Point = { at: string; before: string };

/** Holds its process up when it is about to do the given thing, until it may go on. */
const waits = `
  import fs from 'node:fs/promises';
  import { existsSync, writeFileSync } from 'node:fs';
  import { Socket } from 'node:net';
  import { syncBuiltinESMExports } from 'node:module';
  const { WAITS_AT, WAITS_FOR, WAITS_WITH } = process.env;
  const wait = async (what) => {
    if (!new RegExp(WAITS_FOR).test(what)) return;
    writeFileSync(WAITS_WITH + '.waits', '');
    // not for ever: a test that failed tells it nothing any more
    for (let turns = 0; turns < 6000 && !existsSync(WAITS_WITH + '.goes'); turns += 1)
      await new Promise((resolve) => setTimeout(resolve, 20));
  };
  if (WAITS_AT === 'connect') {
    const real = Socket.prototype.connect;
    Socket.prototype.connect = function (...to) {
      void wait(to[0]).then(() => real.apply(this, to));
      return this;
    };
  } else {
    const home = WAITS_AT === 'fetch' ? globalThis : fs;
    const real = home[WAITS_AT];
    home[WAITS_AT] = async (what, ...rest) => {
      await wait(what);
      return real(what, ...rest);
    };
  }
  syncBuiltinESMExports();
`;

/**
 * Lets a process come to a point, and then, once it may, go on.
 *
 * @param folder for files of ours
 * @param begin starts it with these variables beside its own
 */
export async function holdUp(
  folder: string,
  point: Point,
  begin: (variables: Record<string, string>) => Launched,
): Promise<{ launched: Launched; goOn: () => Promise<void> }> {
  const script = join(folder, 'waits.mjs');
  await writeFile(script, waits);
  const mark = join(folder, randomId());
  const launched = begin({
    NODE_OPTIONS: `--import=${script}`,
    WAITS_AT: point.at,
    WAITS_FOR: point.before,
    WAITS_WITH: mark,
  });
  await until(async () => launched.isOver() || existsSync(`${mark}.waits`), 'the point');
  return { launched, goOn: () => writeFile(`${mark}.goes`, '') };
}
