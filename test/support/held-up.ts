import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { randomId, until } from './advocate.ts';
import type { Launched } from './program.ts';

/**
 * What a process is about to do: `fetch` or `connect` to what matches, `query` the database for it, `kill` with such a
 * signal, or this in `node:fs/promises` with such a path.
 */
export type Point = { at: string; before: string };

/** Holds its process up when it is about to do the given thing, until it may go on. */
const waits = `
  import fs from 'node:fs/promises';
  import { existsSync, writeFileSync } from 'node:fs';
  import { Socket } from 'node:net';
  import { createRequire, syncBuiltinESMExports } from 'node:module';
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
  } else if (WAITS_AT === 'kill') {
    const real = process.kill;
    process.kill = (pid, signal) => {
      if (signal === WAITS_FOR) void wait(signal).then(() => real.call(process, pid, signal));
      else real.call(process, pid, signal);
      return true;
    };
  } else {
    const clients = () => createRequire(process.cwd() + '/')('pg').Client.prototype;
    const home = WAITS_AT === 'fetch' ? globalThis : WAITS_AT === 'query' ? clients() : fs;
    const real = home[WAITS_AT];
    home[WAITS_AT] = async function (what, ...rest) {
      await wait(what);
      return real.call(this, what, ...rest);
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
