import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { makeTemporaryFolder } from '../../src/embedded/temporary-folder.ts';
import { campaignPath, lettersOn, until } from '../support/advocate.ts';
import { writeByPages } from '../support/mail-pages.ts';
import { launchNpm, type Program, whenReady } from '../support/program.ts';
import { Visitor, wordsOf } from '../support/visitor.ts';

describe('npm start with nothing configured', () => {
  let folder: string;
  let program: Program;
  const dataFolder = () => join(folder, 'data');
  const start = async (more = {}) =>
    whenReady(launchNpm('start', { PORT: '0', DATA_DIR: dataFolder(), ...more }));
  const visitor = () => new Visitor(program.url);
  beforeAll(async () => {
    folder = await makeTemporaryFolder('start');
    program = await start();
  }, 90_000);
  afterAll(async () => {
    await program.stop();
    await rm(folder, { recursive: true, force: true });
  }, 60_000);

  it('says in one line where its pages, its mail and its data are, and nothing more', () => {
    const [line = '', ...more] = program.out().trim().split('\n');
    const url = /http:\/\/127\.0\.0\.1:[1-9]\d*/.source;
    expect(line).toMatch(new RegExp(`^Outspoken is ready: ${url}/ {2}\\(mail: ${url}/mail, `));
    expect(line).toContain(`data: ${dataFolder()}`);
    expect(more).toEqual([]);
  });

  it('has the port in its log, which the line for people lacks where PUBLIC_URL is set', () => {
    const { port } = new URL(program.url);
    expect(program.err()).toMatch(new RegExp(`"port":${port},"msg":"the pages are up"`));
  });

  it('has a campaign that people can take part in', async () => {
    const home = await visitor().get('/');
    expect(home.status).toBe(200);
    expect(home.html).toContain(`href="${campaignPath}"`);
    const campaign = await visitor().get(campaignPath);
    expect(campaign.status).toBe(200);
    expect([...campaign.html.matchAll(/name="brand" value="/g)].length).toBeGreaterThanOrEqual(12);
  });

  it('takes a letter to its end, and finds it and its private page again when it was stopped and started', async () => {
    const receipt = await writeByPages(visitor(), { email: 'start@mail.example', brand: ['hm', 'nike'] });
    const states = async () => lettersOn(await visitor().get(receipt)).map(({ state }) => state);
    await until(async () => (await states()).join() === 'accepted,accepted', 'two letters', 60_000);
    const before = wordsOf(await visitor().get(receipt));
    const mails = wordsOf(await visitor().get('/mail'));
    expect(mails).toContain('human-rights@hm.example');

    expect(await program.stop()).toBe(0);
    // what somebody set for another PostgreSQL has nothing to do with ours
    program = await start({ PGPORT: '6543', PGSSLMODE: 'require', PGOPTIONS: '-c no.such=setting -x' });

    expect(await states()).toEqual(['accepted', 'accepted']);
    expect(wordsOf(await visitor().get(receipt))).toBe(before);
    expect(wordsOf(await visitor().get('/mail'))).toBe(mails);
  }, 180_000);
});
