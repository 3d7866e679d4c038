import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { statement } from '../../src/db/database.ts';
import { campaignPath, until } from '../support/advocate.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { writeMany } from '../support/letters.ts';
import { startProgram, variablesFor } from '../support/program.ts';
import { Visitor, wordsOf } from '../support/visitor.ts';

/**
 * What the campaign's page says, once it has the number, when so many letters were accepted. A fresh instance each: the
 * count is kept a while.
 */
async function said(accepted: number): Promise<string> {
  const instance = await startInstance({ roles: ['web'] });
  try {
    await writeMany(instance, { people: accepted + 1, brands: ['hm'] });
    await instance.query('alter table letter disable trigger letter_moves_as_designed');
    await instance.query(
      "update letter set state = 'accepted' where id in (select id from letter order by id limit $1)",
      [accepted],
    );
    return await until(async () => {
      const page = await instance.visitor().get(campaignPath);
      return /[^.>]* letters have been accepted[^.]*/.exec(wordsOf(page))?.[0].trim();
    }, 'the number');
  } finally {
    await instance.close();
  }
}

describe('the public count of a campaign', () => {
  it.each([
    [0, 'Fewer than 10'],
    [9, 'Fewer than 10'],
    [10, 'At least 10'],
    [19, 'At least 10'],
    [21, 'At least 20'],
  ])('gives no single writer away, and says nothing untrue: %i', async (accepted, words) => {
    // whose servers they are is not known: a relay's answer comes before a brand's
    expect(await said(accepted)).toMatch(
      new RegExp(`${words} letters have been accepted by mail servers so far$`),
    );
  });
});

describe('a campaign whose letters take long to count', () => {
  let instance: Instance;
  beforeAll(async () => {
    instance = await startInstance({ roles: ['web'] });
  });
  afterAll(() => instance.close());

  it('has its page all the same, which says nothing about their number', async () => {
    await writeMany(instance, { people: 1, brands: ['hm'] });
    await instance.context.database.transaction(async ({ rows }) => {
      await rows(statement('lock table letter in access exclusive mode'));
      const page = await instance.visitor().get(campaignPath);
      expect(page.status).toBe(200);
      expect(wordsOf(page)).toContain('Write your letter');
      expect(wordsOf(page)).not.toContain('letters have been accepted');
    });
    await until(async () => {
      const page = await instance.visitor().get(campaignPath);
      return wordsOf(page).includes('Fewer than 10 letters have been accepted');
    }, 'the number, once it is counted');
  });
});

describe('a campaign whose letters cannot be counted, for another reason than an outage', () => {
  it('has its page all the same, and the log has an error', async () => {
    const instance = await startInstance({ roles: ['web'] });
    const env = { ...variablesFor(instance, ''), PUBLIC_URL: undefined, LOG_LEVEL: 'error' };
    const program = await startProgram(env, { args: ['--role', 'web'] });
    try {
      await instance.query('alter table letter rename to broken');
      const page = await new Visitor(program.url).get(campaignPath);
      expect(page.status).toBe(200);
      expect(wordsOf(page)).not.toContain('letters have been accepted');
      await until(async () => program.err().includes('could not be counted'), 'a line in the log');
    } finally {
      await program.stop();
      await instance.close();
    }
  });
});
