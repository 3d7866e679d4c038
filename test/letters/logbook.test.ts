import { type ExecFileException, execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { appendFile, mkdir, mkdtemp, readdir, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { Found } from '../../src/letters/logbook.ts';
import { type Logbooks, openLogbooks } from '../../src/letters/logbooks.ts';
import type { Sent } from '../../src/letters/record-sent.ts';
import { createLog } from '../../src/log.ts';
import { describe as outcomeOf } from '../../src/mail/outcome.ts';
import { sha256 } from '../../src/people/vault.ts';

const boot = 'this boot';
let dataDir: string;
let ours: Logbooks;
let theirs: Logbooks;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'outspoken-logbooks-'));
});
beforeEach(async () => {
  ours = await logbooks();
  theirs = await logbooks();
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));

type Wishes = { name?: string; boot?: string | null | undefined; folder?: string };
const logbooks = (wishes: Wishes = {}) => {
  const { name = randomUUID(), folder = dataDir } = wishes;
  return openLogbooks(folder, {
    name,
    log: createLog('silent'),
    boot: 'boot' in wishes ? wishes.boot : boot,
  });
};

const pathOf = (bundleId: string, name = ours.name) => join(dataDir, 'logbooks', `${name}.${bundleId}`);

/** Long enough for all that landed to have been written. */
const aTurn = () => new Promise((resolve) => setImmediate(resolve));

const accepted: Sent = {
  id: '7',
  tries: 1,
  outcome: { kind: 'accepted', code: 250, response: '250 2.0.0 "Ok"\\: queued as 4AAA', host: 'mx.example' },
  hash: sha256(Buffer.from('a letter')).toString('hex'),
};
const refused: Sent = {
  id: '8',
  tries: 3,
  outcome: { kind: 'refused', code: 550, response: '550 nobody', host: 'mx.example', stage: 'rcpt' },
};

/** What a bundle's logbook says to those who take it over. */
function takenOver(bundleId: string, by = theirs): Found {
  const found = by.takeOver(ours.name, bundleId);
  if (!found) throw new Error('there is no such logbook');
  return found;
}

describe('a logbook', () => {
  it('tells whoever takes it over which letters left and what became of them, in every detail', async () => {
    const logbook = ours.open('1');
    for (const id of ['7', '8', '12']) expect(logbook.leaves(id)).toBe(true);
    logbook.landed(accepted);
    logbook.landed(refused);
    await aTurn();
    expect(takenOver('1')).toEqual({ left: new Set(['7', '8', '12']), landed: [accepted, refused] });
    logbook.close(false);
  });

  it('tells the same to whoever takes it over once more, also to the one who wrote it', () => {
    const logbook = ours.open('1');
    expect(logbook.leaves('7')).toBe(true);
    logbook.landed(accepted);
    logbook.close(false);
    const said = { left: new Set(['7']), landed: [accepted] };
    expect([takenOver('1'), takenOver('1'), takenOver('1', ours)]).toEqual([said, said, said]);
  });

  it('says of no letter that it left which did not, and of no other bundle anything', () => {
    const [one, other] = [ours.open('1'), ours.open('11')];
    const third = theirs.open('1');
    expect([one.leaves('7'), other.leaves('71'), third.leaves('5')]).toEqual([true, true, true]);
    expect(takenOver('1')).toEqual({ left: new Set(['7']), landed: [] });
    expect(other.leaves('72')).toBe(true); // which nobody took over
    other.landed(refused);
    other.close(false);
    expect(takenOver('11')).toEqual({ left: new Set(['71', '72']), landed: [refused] });
    one.close(true);
    third.close(true);
  });

  it('has what landed before a letter leaves, whatever happens when it does', () => {
    const logbook = ours.open('1');
    expect(logbook.leaves('7')).toBe(true);
    logbook.landed(accepted);
    expect(logbook.leaves('8')).toBe(true);
    expect(takenOver('1')).toEqual({ left: new Set(['7', '8']), landed: [accepted] });
    logbook.close(true);
  });

  it('keeps whatever a mail server may say', async () => {
    const words = fc.string({ unit: 'binary', maxLength: 200 });
    const kind = fc.constantFrom('accepted', 'refused', 'try again', 'unknown');
    const sent = fc.record({ kind, words, tries: fc.nat(9), hash: fc.option(fc.uint8Array()) });
    let bundles = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(sent, { maxLength: 12 }), async (all) => {
        const logbook = ours.open(String(++bundles));
        const landed = all.map(({ kind, words, tries, hash }, n): Sent => {
          const outcome = outcomeOf(kind, 'mx.example', words);
          return {
            id: String(n),
            tries,
            outcome,
            ...(hash && { hash: sha256(Buffer.from(hash)).toString('hex') }),
          };
        });
        for (const one of landed) {
          expect(logbook.leaves(one.id)).toBe(true);
          logbook.landed(one);
        }
        await aTurn();
        const left = new Set(landed.map(({ id }) => id));
        expect(takenOver(String(bundles))).toEqual({ left, landed });
        logbook.close(true);
      }),
      { numRuns: 50 },
    );
  });

  it('lets no letter leave any more once it was taken over, and what landed then can still be told', async () => {
    const logbook = ours.open('1');
    expect(logbook.leaves('7')).toBe(true);
    expect(takenOver('1').left).toEqual(new Set(['7']));
    for (const id of ['8', '9', '10']) expect(logbook.leaves(id)).toBe(false);
    logbook.landed(accepted);
    await aTurn();
    expect(takenOver('1').landed).toEqual([accepted]);
    logbook.close(false);
  });

  it('lets no letter leave once it was taken over before the first one could', () => {
    const logbook = ours.open('1');
    expect(takenOver('1')).toEqual({ left: new Set(), landed: [] });
    expect(logbook.leaves('7')).toBe(false);
    logbook.close(true);
  });

  it('says nothing by a line that was cut off', async () => {
    const logbook = ours.open('1');
    expect(logbook.leaves('7')).toBe(true);
    const whole = `in ${JSON.stringify(refused)}`;
    const cut = ['o', 'out ', 'out 8', 'out 81', 'in {', whole.slice(0, 20), whole];
    for (const [n, line] of cut.entries()) {
      const bundleId = String(n + 2);
      await writeFile(pathOf(bundleId), `boot ${boot}\nout 7\n${line}`);
      expect(takenOver(bundleId)).toEqual({ left: new Set(['7']), landed: [] });
      expect(takenOver(bundleId)).toEqual({ left: new Set(['7']), landed: [] });
    }
    await writeFile(
      pathOf('20'),
      `boot ${boot}\nout 7\n${whole}\nin {"id":"9"\nin {}oops\nin {oops}\nout 8x\n out 8\nout -8\n`,
    );
    expect(takenOver('20')).toEqual({ left: new Set(['7']), landed: [refused] }); // the control
    await appendFile(pathOf('1'), 'out 8');
    expect(logbook.leaves('9')).toBe(false); // somebody else wrote
    expect(takenOver('1').left).toEqual(new Set(['7']));
    logbook.close(true);
  });

  it('cannot be begun anew: what it says stays', () => {
    const logbook = ours.open('1');
    expect(logbook.leaves('7')).toBe(true);
    expect(() => ours.open('1')).toThrow('EEXIST');
    expect(logbook.leaves('8')).toBe(true);
    logbook.close(false);
    expect(() => ours.open('1')).toThrow('EEXIST');
    expect(takenOver('1').left).toEqual(new Set(['7', '8']));
  });

  it('is gone once its bundle is over, and is there to be read otherwise, with what landed last', async () => {
    const [over, broken] = [ours.open('1'), ours.open('2')];
    for (const logbook of [over, broken]) {
      expect(logbook.leaves('7')).toBe(true);
      logbook.landed(accepted);
    }
    over.close(true);
    broken.close(false);
    expect([existsSync(pathOf('1')), existsSync(pathOf('2'))]).toEqual([false, true]);
    expect(ours.takeOver(ours.name, '1')).toBeUndefined();
    expect(takenOver('2')).toEqual({ left: new Set(['7']), landed: [accepted] });
  });

  it('lets no letter leave once it was closed', () => {
    const logbook = ours.open('1');
    logbook.close(false);
    expect(logbook.leaves('7')).toBe(false);
    expect(takenOver('1').left).toEqual(new Set());
  });

  it('writes into no other once it was closed', async () => {
    const logbook = ours.open('1');
    expect(logbook.leaves('7')).toBe(true);
    logbook.landed(accepted);
    logbook.close(true);
    const next = ours.open('2'); // under the same number, by the rules of open(2)
    await aTurn();
    expect(next.leaves('9')).toBe(true);
    expect(takenOver('2')).toEqual({ left: new Set(['9']), landed: [] });
    next.close(true);
  });

  it('that is not there cannot be taken over, and comes about neither by that nor by discarding it', async () => {
    expect(theirs.takeOver(ours.name, '1')).toBeUndefined();
    theirs.discard(ours.name, '1');
    expect(existsSync(pathOf('1'))).toBe(false);
    const logbook = ours.open('1');
    expect(logbook.leaves('7')).toBe(true);
    theirs.discard(ours.name, '11');
    expect(takenOver('1').left).toEqual(new Set(['7']));
    theirs.discard(ours.name, '1');
    expect(theirs.takeOver(ours.name, '1')).toBeUndefined();
    logbook.close(true); // though somebody else has removed it
  });

  it('that is there and cannot be read tells nothing', async () => {
    await mkdir(pathOf('1'));
    expect(theirs.takeOver(ours.name, '1')).toBeUndefined();
  });

  it('has what landed in another bundle before a letter leaves', () => {
    const [one, two] = [ours.open('1'), ours.open('2')];
    expect(one.leaves('7')).toBe(true);
    one.landed(accepted);
    expect(two.leaves('9')).toBe(true);
    expect([takenOver('1').landed, takenOver('2').left]).toEqual([[accepted], new Set(['9'])]);
    one.close(true);
    two.close(true);
  });

  it('says of no letter that it left which was kept back, but of the one by which that was found out', () => {
    const logbook = ours.open('1');
    takenOver('1');
    expect(['7', '8'].map((id) => logbook.leaves(id))).toEqual([false, false]);
    expect(takenOver('1').left).toEqual(new Set(['7']));
    logbook.close(true);
  });

  it('lets no letter leave once somebody has removed it', () => {
    const logbook = ours.open('1');
    expect(logbook.leaves('7')).toBe(true);
    theirs.discard(ours.name, '1');
    expect(logbook.leaves('8')).toBe(false);
    logbook.close(true);
  });

  it('cannot be begun where it cannot be written, and leaves nothing behind there', async () => {
    const own = await mkdtemp(join(tmpdir(), 'outspoken-logbooks-'));
    const books = await logbooks({ folder: own });
    await rm(join(own, 'logbooks'), { recursive: true });
    expect(() => books.open('1')).toThrow('ENOENT');
    await writeFile(join(own, 'logbooks'), 'in its place');
    await expect(logbooks({ folder: own })).rejects.toThrow(
      `The logbooks cannot be written into ${join(own, 'logbooks')}`,
    );
    await rm(own, { recursive: true });
  });

  it('can be read by nobody but its owner', async () => {
    ours.open('1').close(false);
    const modes = await Promise.all([pathOf('1'), join(dataDir, 'logbooks')].map((path) => stat(path)));
    expect(modes.map(({ mode }) => (mode & 0o777).toString(8))).toEqual(['600', '700']);
  });
});

describe('a logbook from before the machine was started', () => {
  it('says what landed, and not what left: more may have', async () => {
    const logbook = ours.open('1');
    expect(logbook.leaves('7')).toBe(true);
    logbook.landed(accepted);
    logbook.close(false);
    for (const another of ['another boot', 'this boot, too', 'this', ''])
      expect(takenOver('1', await logbooks({ boot: another }))).toEqual({
        left: undefined,
        landed: [accepted],
      });
    expect(takenOver('1').left).toEqual(new Set(['7'])); // the control
  });

  it('is what one may be that does not name its boot', async () => {
    const rest = `out 8\nin ${JSON.stringify(refused)}\n`;
    const beginnings = ['boot \n', 'boot', '', `out 7\nboot ${boot}\n`, `boot ${boot}`];
    for (const [n, beginning] of beginnings.entries()) {
      await writeFile(pathOf(String(n)), beginning + rest);
      expect(takenOver(String(n)).left).toBeUndefined();
    }
    expect(takenOver('0').landed).toEqual([refused]);
    expect(takenOver('3').landed).toEqual([refused]);
  });

  it('is what every one may be where nothing tells one boot from another', async () => {
    const untold = await logbooks({ name: ours.name, boot: null });
    const logbook = untold.open('1');
    expect(logbook.leaves('7')).toBe(true);
    logbook.landed(accepted);
    logbook.close(false);
    expect(untold.isReliable).toBe(false);
    expect(takenOver('1', untold)).toEqual({ left: undefined, landed: [accepted] });
  });

  it('is told from one of today by what the machine itself says', async () => {
    const own = { boot: undefined };
    const [wrote, reads] = [await logbooks({ ...own, name: ours.name }), await logbooks(own)];
    const logbook = wrote.open('1');
    expect(logbook.leaves('7')).toBe(true);
    expect(wrote.isReliable && !existsSync('/proc/sys/kernel/random/boot_id')).toBe(false);
    expect(takenOver('1', reads).left).toEqual(wrote.isReliable ? new Set(['7']) : undefined);
    expect(takenOver('1').left).toBeUndefined();
    expect([ours.isReliable, ours.name]).toEqual([true, wrote.name]);
    logbook.close(true);
  });
});

describe('old logbooks', () => {
  const minute = 60_000;

  const write = (bundleId: string, at: number, name = ours.name) =>
    utimes(pathOf(bundleId, name), new Date(at), new Date(at));
  const ofOurs = (found: { name: string }[]) => found.filter(({ name }) => name === ours.name);

  /** Looks for them `age` after bundle 2 was last written to, or less than `within` after that. */
  async function oldAfter(age: number, within = Number.POSITIVE_INFINITY) {
    for (;;) {
      const written = Date.now() - age;
      await write('2', written);
      const found = await ours.old();
      if (Date.now() - written < within) return ofOurs(found);
    }
  }

  it('are those that nobody has written to for a minute, whoever wrote them', async () => {
    for (const bundleId of ['1', '2']) ours.open(bundleId).close(false);
    await write('1', Date.now() + 60 * minute); // so it is not old, however slow this machine
    expect(await oldAfter(0, minute)).toEqual([]);
    expect(await oldAfter(45_000, minute)).toEqual([]);
    expect(await oldAfter(minute + 1)).toEqual([{ name: ours.name, bundleId: '2' }]);
    expect(ofOurs(await theirs.old())).toEqual([{ name: ours.name, bundleId: '2' }]);
    theirs.open('345').close(false);
    await write('345', Date.now() - 10 * minute, theirs.name);
    expect(await ours.old()).toContainEqual({ name: theirs.name, bundleId: '345' });
  });

  it('are no longer old once somebody has taken them over', async () => {
    ours.open('2').close(false);
    expect(await oldAfter(2 * minute)).toHaveLength(1);
    expect(await ours.old()).toContainEqual({ name: ours.name, bundleId: '2' });
    takenOver('2');
    expect(await ours.old()).not.toContainEqual({ name: ours.name, bundleId: '2' });
  });

  it('are nothing else that lies in the folder, nor what goes away meanwhile', async () => {
    const others = [
      'notes',
      ours.name,
      `${ours.name}.`,
      `${ours.name}.1x`,
      `${ours.name}.x1`,
      `x${ours.name}.1`,
    ];
    const written = new Date(Date.now() - 10 * minute);
    for (const file of [...others, `${ours.name}.2`]) {
      await writeFile(join(dataDir, 'logbooks', file), '');
      await utimes(join(dataDir, 'logbooks', file), written, written);
    }
    await symlink(join(dataDir, 'nowhere'), pathOf('3'));
    expect(await readdir(join(dataDir, 'logbooks'))).toEqual(expect.arrayContaining(others));
    const found = (await theirs.old()).filter(({ name }) => name.includes(ours.name));
    expect(found).toEqual([{ name: ours.name, bundleId: '2' }]);
  });
});

describe('a process that lets letters leave as fast as it can', () => {
  /** Starts one, if need be with a limit to its files (setrlimit(2)), which stands for a disk that is full. */
  function start(bundles: number, limit = 'unlimited') {
    const script = fileURLToPath(new URL('../support/one-who-sends.ts', import.meta.url));
    const program = [process.execPath, script, dataDir, ours.name, boot, String(bundles)];
    return new Promise<number[]>((resolve, reject) => {
      const answer = (error: ExecFileException | null, out: string) =>
        error ? reject(error) : resolve(JSON.parse(out));
      const args = ['-c', 'ulimit -f "$0" && exec "$@"', limit, ...program];
      execFile('sh', args, { timeout: 100_000, killSignal: 'SIGKILL' }, answer);
    });
  }
  const idsOf = (bundle: number, count: number) =>
    Array.from({ length: count }, (_, n) => String(10 ** bundle + n));

  it('stops as soon as its logbook is taken over, and what left before is known', async () => {
    const bundles = 12;
    let isOver = false;
    const ended = start(bundles).finally(() => {
      isOver = true;
    });
    const found: Found[] = [];
    while (found.length < bundles && !isOver) {
      const one = theirs.takeOver(ours.name, String(found.length + 1));
      if (one) found.push(one);
      else await aTurn();
    }
    const left = await ended;
    expect(found).toHaveLength(bundles);
    for (const [n, count] of left.entries()) {
      const known = found[n]?.left ?? new Set();
      expect(idsOf(n + 1, count).filter((id) => !known.has(id))).toEqual([]);
      expect(known.size).toBeLessThanOrEqual(count + 1); // the last one may have been about to
    }
  });

  it('stops as soon as its logbook cannot be written, and what left before is known', async () => {
    const left = await start(9, '1');
    expect(left).toHaveLength(9);
    for (const [n, count] of left.entries()) {
      expect(count).toBeGreaterThan(0);
      expect(takenOver(String(n + 1))).toEqual({ left: new Set(idsOf(n + 1, count)), landed: [] });
    }
  });
});
