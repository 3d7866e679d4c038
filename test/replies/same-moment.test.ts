import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Database } from '../../src/db/database.ts';
import { eraseAdvocate } from '../../src/letters/cancel-letters.ts';
import { scrub } from '../../src/letters/retention.ts';
import { sendDraft, throwAway } from '../../src/replies/draft-answer.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { makeOlder } from '../support/letters.ts';
import { besides, whileItWaits } from '../support/moments.ts';
import { type Correspondence, correspond } from '../support/replies.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';
import { fieldOf, wordsOf } from '../support/visitor.ts';

let smtp: TestSmtp;
let instance: Instance;
let one: Correspondence;
/** Where an answer is written, and a draft of one. */
let form: string;
let draft: string;
beforeEach(async () => {
  smtp = await startSmtp();
  instance = await startInstance({ roles: ['web', 'inbound'], smtpUrl: smtp.url });
  const worker = await instance.startWorker();
  one = await correspond(instance, smtp);
  await one.brandWrites();
  const [reply] = await one.replies('accepted');
  await worker.close();
  form = reply?.link ?? '';
  draft = (await one.visitor.post(form, await typed('Thank you.'))).location;
  await makeOlder(instance, one, '29 days'); // so they are due to be forgotten
});
afterEach(async () => {
  await instance.close();
  await smtp.close();
});

const typed = async (text: string) => ({
  submission: fieldOf(await one.visitor.get(form), 'submission'),
  text,
});
const token = () => one.receipt.slice('/r/'.length);
const erase = (database: Database) => eraseAdvocate({ ...instance.context, database }, token());
const replies = () => instance.query('select 1 from reply');

describe.each<[string, (database: Database) => Promise<unknown>]>([
  ['forgotten', scrub],
  ['erased', erase],
])('while somebody is being %s', (_how, goAway) => {
  it.each(['draft', 'unknown'])(
    'an answer that is %s and shall go is not said to have gone',
    async (state) => {
      await instance.query(
        "update reply set state = $1::text::reply_state, at = at - interval '29 days' where direction = 'from advocate'",
        [state],
      );
      const [, page] = await whileItWaits(instance, goAway, () => one.visitor.post(`${draft}/send`));
      expect(page.status).toBe(404);
      expect(wordsOf(page)).toContain('There is nothing here');
      expect(await replies()).toEqual([]);
    },
  );

  it('an answer that they write finds nobody there any more', async () => {
    const answer = await typed('One thing more.');
    const [, page] = await whileItWaits(instance, goAway, () => one.visitor.post(form, answer));
    expect(page.status).toBe(404);
    expect(await replies()).toEqual([]);
  });

  it.each<[string, (alias: string) => Promise<string[]>]>([
    ['an answer that they mail', (alias) => one.advocateWrites(alias, 'One thing more.')],
    ['what the brand writes', () => one.brandWrites()],
  ])('%s is taken, and kept nowhere', async (_what, write) => {
    const alias = (await one.forwards(1))[0]?.mail.replyTo?.text ?? '';
    const [, answers] = await whileItWaits(instance, goAway, () => write(alias));
    expect(answers.at(-1)).toMatch(/^250 /);
    await scrub(instance.context.database);
    for (const table of ['reply', 'pen', 'came_back', 'event', 'notice'])
      expect(await instance.query(`select 1 from ${table}`)).toEqual([]);
  });
});

it('an answer that is let go keeps its writer from being forgotten, also while that is not written down yet', async () => {
  const send = (database: Database) =>
    sendDraft({ ...instance.context, database }, token(), draft.slice(-20));
  const [sent, forgotten] = await besides(instance, send, () => scrub(instance.context.database));
  expect(sent).toBe('sent');
  expect(forgotten).toEqual({ expired: 0, forgotten: 0 });
  await scrub(instance.context.database);
  await one.replies('accepted', 'waiting');
});

it('an answer that is thrown away while it shall go is not said to have gone', async () => {
  const drop = (database: Database) =>
    database.transaction((transaction) =>
      throwAway({ database: { ...database, ...transaction } }, token(), draft.slice(-20)),
    );
  const [, page] = await whileItWaits(instance, drop, () => one.visitor.post(`${draft}/send`));
  expect(page.status).toBe(404);
  expect(await replies()).toHaveLength(1);
});

it('an answer that two windows let go at once is said to have gone in both, and goes once', async () => {
  const send = (database: Database) =>
    sendDraft({ ...instance.context, database }, token(), draft.slice(-20));
  const [first, second] = await whileItWaits(instance, send, () => send(instance.context.database));
  expect([first, second]).toEqual(['sent', 'sent']);
  expect(await instance.query("select 1 from reply where state = 'waiting'")).toHaveLength(1);
});
