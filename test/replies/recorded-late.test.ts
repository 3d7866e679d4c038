import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { until } from '../support/advocate.ts';
import { type Cable, layCableTo } from '../support/cable.ts';
import { cloneDatabase } from '../support/database.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { gate } from '../support/letters.ts';
import { correspond } from '../support/replies.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';
import { fieldOf } from '../support/visitor.ts';

let database: Awaited<ReturnType<typeof cloneDatabase>>;
let cable: Cable & { url: string };
let smtp: TestSmtp;
let instance: Instance;
beforeEach(async () => {
  database = await cloneDatabase();
  cable = await layCableTo(database.url);
  smtp = await startSmtp();
  instance = await startInstance({
    roles: ['web', 'worker', 'inbound'],
    smtpUrl: smtp.url,
    databaseUrl: cable.url,
  });
});
afterEach(async () => {
  await instance.close();
  await smtp.close();
  await cable.close();
  await database.drop();
});

it('an answer that a mail server took while the database was away is accepted once that is back, and leaves once', async () => {
  const one = await correspond(instance, smtp);
  await one.brandWrites();
  const [reply] = await one.replies('accepted');
  const form = reply?.link ?? '';
  const submission = fieldOf(await one.visitor.get(form), 'submission');
  const { location } = await one.visitor.post(form, { submission, text: 'Thank you.' });

  const held = gate();
  const before = smtp.handedOver.length;
  smtp.script((moment) => (moment === 'dot' ? { until: held.opened } : undefined));
  await one.visitor.post(`${location}/send`);
  await until(async () => smtp.handedOver.length > before, 'the answer');
  await cable.cut();
  held.open();
  await until(async () => smtp.accepted.length > before, 'its acceptance');
  await new Promise((resolve) => setTimeout(resolve, 500)); // there is nowhere to write it down
  await cable.mend();

  await one.replies('accepted', 'accepted');
  expect(await one.atBrand(1)).toHaveLength(1);
});
