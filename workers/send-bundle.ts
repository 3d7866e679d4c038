import type { Context } from '../src/context.ts';
import { sendBundle } from '../src/letters/send-bundle.ts';
import { createMailer } from '../src/mail/mailer.ts';
import type { JobQueue } from './queue.ts';

/** Bundles at a time, and letters of each in the air: their product is what a crash can leave `unknown`. */
const lanes = 2;
const claimSize = 5;

type Options = { workerId: number; stopping: AbortSignal; onDone: () => void };

/** Takes bundles from the queue and sends them. `active` are the ids of those under way. */
export function startSendingBundles(context: Context, queue: JobQueue, { workerId, stopping, onDone }: Options) {
  const { database, vault, wordings, log, config } = context;
  const mailer = createMailer({ url: context.smtpUrl as string, connections: lanes * claimSize });
  const sending = { database, vault, wordings, mailer, log, mailDomain: config.mailDomain, workerId, claimSize, stopping };
  const active = new Set<string>();
  const worker = queue.work(async (id) => {
    active.add(id);
    try {
      await sendBundle(sending, id);
    } catch (error) {
      log.error({ bundle: id, err: error }, 'a bundle was dropped; the sweep takes its letters back');
    } finally {
      active.delete(id);
      onDone();
    }
  }, lanes);
  return {
    active,
    async close() {
      await worker.close();
      await mailer.close();
    },
  };
}
