import type { Context } from '../src/context.ts';
import type { Mailer } from '../src/mail/mailer.ts';
import { sendNotice } from '../src/notices/send-notice.ts';
import type { JobQueue } from './queue.ts';

export const noticesAtOnce = 4;

/** Takes notices from the queue and sends them. */
export function startSendingNotices(context: Context, queue: JobQueue, mailer: Mailer) {
  const { database, vault, locales, log, config, site } = context;
  return queue.work(async (id) => {
    if (mailer.isAway()) return; // it is due, so the release brings it again
    await sendNotice(
      { database, vault, locales, mailer, log, mailDomain: config.mailDomain, publicUrl: site.url },
      id,
    );
  }, noticesAtOnce);
}
