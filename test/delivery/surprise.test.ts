import { describe, expect, it } from '@jest/globals';
import { dueNotices } from '../../src/notices/notice-queue.ts';
import { sendNotice } from '../../src/notices/send-notice.ts';
import { dueReplies } from '../../src/replies/reply-queue.ts';
import { sendReply } from '../../src/replies/send-reply.ts';
import { openMailer } from '../../workers/mailer.ts';
import { prepareDelivery } from '../support/delivery.ts';
import { writeMany } from '../support/letters.ts';
import { correspond } from '../support/replies.ts';
import { fieldOf } from '../support/visitor.ts';

const { smtp, instance } = prepareDelivery({ roles: ['web', 'inbound'] });

/** What sending needs, with a mailer that fails in a way that nobody foresaw, once the server has the message. */
async function surprising() {
  const { database, vault, wordings, locales, log, config, site } = instance.context;
  const mailer = await openMailer(instance.context);
  const send: typeof mailer.send = async (envelope, message) => {
    await mailer.send(envelope, message);
    throw new Error('a surprise');
  };
  const [mailDomain, publicUrl] = [config.mailDomain, site.url];
  return { database, vault, wordings, locales, log, mailDomain, publicUrl, mailer: { ...mailer, send } };
}

describe('mail of which nobody knows whether it arrived, since the program itself failed over it', () => {
  it('goes to a person once more, and not for five days', async () => {
    await writeMany(instance, { people: 1, brands: ['hm'], confirmed: false });
    await instance.query("insert into notice (advocate_id, kind) select id, 'confirm' from advocate");
    const sending = await surprising();
    for (let round = 0; round < 4; round += 1) {
      await instance.query("update notice set due_at = now() where state = 'waiting'");
      for (const { id } of await dueNotices(sending.database)) await sendNotice(sending, id);
    }
    await sending.mailer.close();
    expect(smtp.accepted).toHaveLength(2);
  });

  it('goes to a brand once, and its writer is told that it is not known', async () => {
    const worker = await instance.startWorker();
    const one = await correspond(instance, smtp);
    await one.brandWrites();
    const [reply] = await one.replies('accepted');
    await worker.close();

    const form = reply?.link ?? '';
    const submission = fieldOf(await one.visitor.get(form), 'submission');
    const { location } = await one.visitor.post(form, { submission, text: 'Thank you.' });
    await one.visitor.post(`${location}/send`);
    const sending = await surprising();
    for (let round = 0; round < 3; round += 1) {
      await instance.query("update reply set due_at = now() where state = 'waiting'");
      for (const { id } of await dueReplies(sending.database)) await sendReply(sending, id);
    }
    await sending.mailer.close();
    await one.replies('accepted', 'unknown');
    expect(await one.atBrand(1)).toHaveLength(1);
  });
});
