import type { Context } from '../src/context.ts';
import type { Mailer } from '../src/mail/mailer.ts';
import { sendReply } from '../src/replies/send-reply.ts';
import type { JobQueue } from './queue.ts';

export const repliesAtOnce = 2;

/** Takes replies from the queue and passes them on. */
export function startSendingReplies(context: Context, queue: JobQueue, mailer: Mailer) {
  const { database, vault, wordings, locales, log, config, site } = context;
  return queue.work(async (id) => {
    if (mailer.isAway()) return; // it is due, so the release brings it again
    await sendReply(
      { database, vault, wordings, locales, mailer, log, mailDomain: config.mailDomain, publicUrl: site.url },
      id,
    );
  }, repliesAtOnce);
}
