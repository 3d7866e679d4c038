import type { Context } from '../src/context.ts';
import { createMailer } from '../src/mail/mailer.ts';
import { guardRecipients } from '../src/mail/recipients.ts';
import { sendNotice } from '../src/notices/send-notice.ts';
import type { Pulse } from './pulse.ts';
import type { JobQueue } from './queue.ts';

const atOnce = 4;

/** Takes notices from the queue and sends them. */
export function startSendingNotices(context: Context, queue: JobQueue, pulse: Pulse) {
  const { database, vault, locales, log, config, site } = context;
  const mailer = pulse.of(
    createMailer({
      url: context.smtpUrl as string,
      guard: guardRecipients(config.mailRecipients),
      connections: atOnce,
    }),
  );
  const worker = queue.work(
    (id) =>
      sendNotice(
        { database, vault, locales, mailer, log, mailDomain: config.mailDomain, publicUrl: site.url },
        id,
      ),
    atOnce,
  );
  return {
    async close() {
      await worker.close();
      await mailer.close();
    },
  };
}
