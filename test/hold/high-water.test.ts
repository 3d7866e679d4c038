import { chmod, chown, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ownerOfServer } from '../../src/embedded/cluster.ts';
import { openHighWater } from '../../src/hold/high-water.ts';
import { judge } from '../../src/hold/mark.ts';

const here = '0b8e5f0e-0000-4000-8000-000000000001';
const other = '0b8e5f0e-0000-4000-8000-000000000002';

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'outspoken-mark-'));
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

describe('the mark outside the database', () => {
  it('is nothing in a new folder, and then the highest that was written, for each instance', async () => {
    const mark = openHighWater(dataDir);
    expect(await mark.read()).toEqual({ marks: new Map(), restored: false });
    await mark.write(here, 9);
    await mark.write(other, 3);
    await mark.write(here, 10);
    await mark.write(here, 4); // by a worker that was slower
    expect((await openHighWater(dataDir).read()).marks).toEqual(
      new Map([
        [here, 10],
        [other, 3],
      ]),
    );
    await writeFile(join(mark.folder, '.hidden'), ''); // as some systems leave in a folder that one has opened
    await mark.forgetOthers(here);
    expect([...(await mark.read()).marks.keys()]).toEqual([here]);
  });

  it('is never lowered by workers that share a folder', async () => {
    const workers = Array.from({ length: 4 }, () => openHighWater(dataDir));
    await Promise.all(
      Array.from({ length: 60 }, (_, n) =>
        (workers[n % 4] as (typeof workers)[0]).write(here, (n * 37) % 60),
      ),
    );
    expect((await openHighWater(dataDir).read()).marks.get(here)).toBe(59);
  });

  it('may be read by its owner only, says what it is, and does not pile up', async () => {
    const mark = openHighWater(dataDir);
    for (let n = 1; n <= 20; n += 1) await mark.write(here, n);
    expect(await readdir(mark.folder)).toEqual([`${here}.20`]);
    const file = join(mark.folder, `${here}.20`);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(mark.folder)).mode & 0o777).toBe(0o700);
    expect(await readFile(file, 'utf8')).toMatch(/Keep it when you restore a backup/);
  });

  it('is there already where another user has written it, as root does who reconciles', async () => {
    const user = await ownerOfServer();
    const mark = openHighWater(dataDir);
    await mark.write(here, 7);
    await chmod(join(mark.folder, `${here}.7`), 0o400);
    if (!('uid' in user)) return expect(await mark.write(here, 7)).toBeUndefined();
    for (const folder of [dataDir, mark.folder]) await chown(folder, user.uid, user.gid);
    process.seteuid?.(user.uid);
    try {
      await mark.write(here, 7);
      await mark.write(here, 8);
    } finally {
      process.seteuid?.(0);
    }
    expect(await readdir(mark.folder)).toEqual([`${here}.8`]);
  });

  it('is not guessed when it cannot be read or written', async () => {
    const mark = openHighWater(dataDir);
    await mark.write(here, 1);
    await writeFile(join(mark.folder, `${here}.1x`), '');
    await expect(mark.read()).rejects.toThrow(/the file .*\.1x is no high-water mark/);
    await rm(mark.folder, { recursive: true });
    await writeFile(mark.folder, 'a file where the folder should be');
    await expect(mark.read()).rejects.toThrow(/cannot be read \(ENOTDIR: .*\)/);
    await expect(mark.write(here, 2)).rejects.toThrow(/cannot be written into .*\(E[A-Z]+: .*\).*DATA_DIR/);
  });

  it.each([
    ['none', [], false, 5, 'unmarked'],
    ['the same', [[here, 5]], false, 5, 'well'],
    ['a lower one, after a raise that was broken off', [[here, 4]], false, 5, 'well'],
    ['a higher one', [[here, 6]], false, 5, 'older'],
    ['that of another database', [[other, 1]], false, 5, 'other database'],
    [
      'that of another one, too',
      [
        [other, 9],
        [here, 5],
      ],
      false,
      5,
      'well',
    ],
    ['a note of a restore', [[here, 5]], true, 5, 'restored'],
    ['a note and nothing else', [], true, 5, 'restored'],
  ] as const)('tells about the database: %s', (_what, marks, restored, mark, verdict) => {
    expect(judge({ marks: new Map(marks), restored }, { id: here, mark })).toBe(verdict);
  });
});
