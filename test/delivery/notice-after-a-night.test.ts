import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { mailFor, until, writeLetters } from '../support/advocate.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

let smtp: TestSmtp;
let instance: Instance;
beforeEach(async () => {
  smtp = await startSmtp();
  smtp.script((moment) => (moment === 'rcpt' ? { reply: '451 4.3.0 not now' } : undefined));
  instance = await startInstance({ smtpUrl: smtp.url });
});
afterEach(async () => {
  await instance.close();
  await smtp.close();
});

const seen = async () =>
  (
    await instance.query<{ state: string; tries: number; wait: number }>(
      'select state::text, tries, round(extract(epoch from due_at - now()) / 60)::int as wait from notice',
    )
  )[0];

/** Waits until it was tried so often; `wait`: how many minutes there are until the next time. */
const tried = (tries: number) =>
  until(
    async () => {
      const notice = await seen();
      return notice?.tries === tries && notice.state !== 'sending' && notice;
    },
    `try ${tries}`,
    30_000,
  );

it('the mail that asks for confirmation still leaves after a night without a relay, and is given up after five days', async () => {
  await writeLetters(instance.visitor(), { email: 'advocate@mail.example' });
  await tried(1);
  const later = async (tries: number) => {
    await instance.query('update notice set tries = $1, due_at = now()', [tries - 1]);
    return tried(tries);
  };
  // six tries within the first hour, then one an hour
  expect(await later(6 + 12)).toEqual({ state: 'waiting', tries: 18, wait: 60 });
  expect(await later(6 + 4 * 24)).toMatchObject({ state: 'waiting' });
  expect(await later(6 + 5 * 24)).toMatchObject({ state: 'abandoned' });

  smtp.script(undefined);
  await instance.query("update notice set state = 'waiting', tries = 50, due_at = now()");
  await until(async () => (await mailFor(smtp, 'advocate@mail.example')).length === 1, 'the mail', 30_000);
});

it('the mail that asks for confirmation goes once more when nobody knows whether it arrived, and then only when it is asked for', async () => {
  smtp.script((moment) => (moment === 'dot' ? { cut: 'rst' } : undefined));
  const waiting = await writeLetters(instance.visitor(), { email: 'advocate@mail.example' });
  expect(await tried(1)).toMatchObject({ state: 'waiting' });
  await instance.query('update notice set due_at = now()');
  expect(await tried(2)).toMatchObject({ state: 'abandoned' });
  expect(smtp.handedOver).toHaveLength(2);

  smtp.script(undefined);
  await instance.visitor().post(`${waiting}/again`);
  await until(async () => (await mailFor(smtp, 'advocate@mail.example')).length === 1, 'the mail', 30_000);
});

it('so does one whose sender died', async () => {
  await writeLetters(instance.visitor(), { email: 'advocate@mail.example' });
  await tried(1);
  const state = async () => (await seen())?.state;
  const die = () =>
    instance.query(
      "update notice set state = 'sending', state_at = now() - interval '16 minutes', due_at = now()",
    );
  await die();
  await tried(2);
  await die();
  await until(async () => (await state()) === 'abandoned', 'a notice that is given up', 30_000);
});
