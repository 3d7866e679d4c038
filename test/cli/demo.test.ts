import { chmod, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { findRunningPostgres } from '../../src/embedded/orphan.ts';
import { makeTemporaryFolder } from '../../src/embedded/temporary-folder.ts';
import { lettersOn, until } from '../support/advocate.ts';
import { holdUp } from '../support/held-up.ts';
import { belongingsOf } from '../support/left-behind.ts';
import { linkOnMailPages } from '../support/mail-pages.ts';
import { type Launched, launch, launchNpm, type Program, startProgram } from '../support/program.ts';
import { Visitor, wordsOf } from '../support/visitor.ts';

type Event = { type: string; at: string; code: number | null; response: string | null; host: string | null };
type Letter = { id: string; brand: string; status: string; messageId: string; events: Event[] };

let folder: string;
let other: Program;
/** The settings of somebody who already runs an instance, which the demo must leave alone. */
let settings: Record<string, string>;
beforeAll(async () => {
  folder = await makeTemporaryFolder('demo-test');
  other = await startProgram({ PORT: '0', DATA_DIR: join(folder, 'other') });
  settings = { PORT: new URL(other.url).port, DATA_DIR: join(folder, 'other') };
}, 90_000);
afterAll(async () => {
  expect(wordsOf(await new Visitor(other.url).get('/mail'))).not.toContain('demo.advocate');
  expect(await other.stop()).toBe(0);
  await rm(folder, { recursive: true, force: true });
}, 60_000);

/** Runs beside the other instance, and is held up when its own is up; what it made is looked at meanwhile. */
async function follow(begin: (of: typeof settings) => Launched) {
  const held = await holdUp(folder, { at: 'fetch', before: '/c/' }, (variables) =>
    begin({ ...settings, ...variables }),
  );
  const line = () =>
    /^An instance of its own is up at (\S+), its data in (\S+)\.$/m.exec(held.launched.said());
  await until(async () => line(), 'an instance for the demo');
  const [, url = '', place = ''] = line() ?? [];
  const dataFolder = join(place, 'data');
  return { ...held, url, dataFolder, belongings: await belongingsOf(dataFolder, url) };
}

async function expectNothingLeft({ dataFolder, belongings }: Awaited<ReturnType<typeof follow>>) {
  expect(await belongings.left()).toEqual([]);
  await expect(readdir(join(dataFolder, '..'))).rejects.toMatchObject({ code: 'ENOENT' });
}

describe('npm run demo', () => {
  it('with --json prints one object: three letters, each with its way from the form to the answer', async () => {
    const instance = await follow((of) => launchNpm('demo', of, ['--json']));
    const { launched: demo } = instance;
    await instance.goOn();
    expect(await demo.ended).toEqual({ code: 0, signal: null });

    const told = JSON.parse(demo.out()) as { letters: Letter[]; seconds: number };
    expect(Object.keys(told)).toEqual(['letters', 'seconds']);
    expect(told.seconds).toBeGreaterThan(0);
    expect(told.letters.map(({ brand }) => brand)).toEqual(['hm', 'nike', 'tchibo']);
    expect(new Set(told.letters.map(({ messageId }) => messageId)).size).toBe(3);
    expect(new Set(told.letters.map(({ id }) => id)).size).toBe(3);
    for (const letter of told.letters) {
      expect(Object.keys(letter)).toEqual(['id', 'brand', 'status', 'messageId', 'events']);
      expect(letter).toMatchObject({
        status: 'accepted',
        messageId: expect.stringMatching(/^[^@\s<>]+@[^@\s<>]+$/),
      });
      const { events } = letter;
      expect(events.map(({ type }) => type)).toEqual([
        'drafted',
        'confirmed',
        'released',
        'claimed',
        'accepted',
      ]);
      expect(events.map(({ at }) => at)).toEqual(events.map(({ at }) => new Date(at).toISOString()).sort());
      for (const event of events)
        expect(Object.keys(event).sort()).toEqual(['at', 'code', 'host', 'response', 'type']);
      expect(events.slice(0, -1).map(({ code, response, host }) => [code, response, host])).toEqual(
        Array(4).fill([null, null, null]),
      );
      expect(events.at(-1)).toMatchObject({
        code: 250,
        response: expect.stringMatching(/^250 \S/),
        host: expect.stringMatching(/^\S+\.example$/),
      });
    }
    await expectNothingLeft(instance);
  });

  it('otherwise tells each step, and the timeline of each letter', async () => {
    const instance = await follow((of) => launchNpm('demo', of));
    const { launched: demo } = instance;
    await instance.goOn();
    expect(await demo.ended).toEqual({ code: 0, signal: null });
    const lines = demo.out().split('\n');
    for (const step of ['Opened the campaign', 'Filled in the form', 'Sent the form', 'Found the link'])
      expect(lines.filter((line) => line.startsWith(step))).toHaveLength(1);
    expect(lines.filter((line) => /^(H&M|Nike|Tchibo): accepted {2}<[^>]+@[^>]+>$/.test(line))).toHaveLength(
      3,
    );
    expect(lines.filter((line) => /^ {2}\S+Z {2}accepted {2}\S+\.example: 250 /.test(line))).toHaveLength(3);
    expect(demo.out()).toMatch(/\n3 of 3 letters were accepted, in [\d.]+ seconds\.\n$/);
    expect(demo.err()).toBe('');
    await expectNothingLeft(instance);
  });

  it('ends with status 1 when one letter is not accepted, and tells how that one ended', async () => {
    const instance = await follow((of) => launch(of, { script: 'src/demo/demo', args: ['--json'] }));
    const { launched: demo } = instance;
    // while it is held up its instance is told that one contact takes no letters at present
    const client = new pg.Client({ connectionString: await findRunningPostgres(instance.dataFolder) });
    await client.connect();
    await client.query(`update contact set health = 'suspended' where address = 'human-rights@nike.example'`);
    const { rows } = await client.query("select from letter where state <> 'draft'");
    expect(rows).toEqual([]);
    await client.end();
    await instance.goOn();

    // somebody cancels the letter that waits, on its private page
    const visitor = new Visitor(instance.url);
    const link = await linkOnMailPages(visitor, 'demo.advocate@mail.example');
    const receipt = (await visitor.post(link)).location;
    const waits = lettersOn(await visitor.get(receipt)).find(({ brand }) => brand === 'nike');
    expect(waits?.state).toBe('ready');
    await visitor.post(`${receipt}/letters/${waits?.handle}/cancel`);

    expect(await demo.ended).toEqual({ code: 1, signal: null });
    const { letters } = JSON.parse(demo.out()) as { letters: Letter[] };
    expect(letters.map(({ brand, status }) => [brand, status])).toEqual([
      ['hm', 'accepted'],
      ['nike', 'cancelled'],
      ['tchibo', 'accepted'],
    ]);
    expect(demo.err()).toContain('2 of 3 letters were accepted');
    await expectNothingLeft(instance);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'removes what it made when it is stopped on its way (%s)',
    async (signal) => {
      const instance = await follow((of) => launch(of, { script: 'src/demo/demo' }));
      const { launched: demo } = instance;
      demo.child.kill(signal);
      expect(await demo.ended).toEqual({ code: 130, signal: null });
      expect(demo.err()).toBe('');
      await expectNothingLeft(instance);
    },
  );

  it('removes what it made when whoever reads what it says goes away, as `| head` does', async () => {
    const instance = await follow((of) => launch(of, { script: 'src/demo/demo' }));
    const { launched: demo } = instance;
    demo.child.stdout?.destroy();
    await instance.goOn();
    expect(await demo.ended).toEqual({ code: 1, signal: null });
    expect(demo.err()).toBe('');
    await expectNothingLeft(instance);
  });

  it('removes what it made when it is stopped before its instance is up', async () => {
    const temporary = join(folder, 'temporary');
    await mkdir(temporary);
    await chmod(temporary, 0o711);
    const demo = launch({ ...settings, TMPDIR: temporary }, { script: 'src/demo/demo' });
    const findFolder = async () => (await readdir(temporary)).find((name) => name.includes('-demo-')) ?? '';
    const findData = async () => join(temporary, await findFolder(), 'data');
    const pidFile = async () => readFile(join(await findData(), 'postgres/postmaster.pid'), 'utf8');
    await until(async () => (await pidFile().catch(() => '')).split('\n')[4], 'a database that has begun');
    const belongings = await belongingsOf(await findData(), '');
    demo.child.kill('SIGTERM');
    expect(await demo.ended).toEqual({ code: 130, signal: null });
    expect(demo.err()).toBe('');
    expect(await belongings.left()).toEqual([]);
    expect(await readdir(temporary)).toEqual([]);
  });

  it('says in one line what it did not understand', async () => {
    const demo = launchNpm('demo', settings, ['--jason']);
    expect((await demo.ended).code).toBe(1);
    expect(demo.err()).toBe("Unknown option '--jason'\nUsage: npm run demo [-- --json]\n");
  });
});
