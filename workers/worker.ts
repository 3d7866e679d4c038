import { randomUUID } from 'node:crypto';
import type { Context } from '../src/context.ts';
import { listenForHints } from '../src/db/hint.ts';
import { openMark } from '../src/hold/mark.ts';
import { openLogbooks } from '../src/letters/logbooks.ts';
import { enlistWorker, holdLock, retireWorker } from '../src/letters/roll-call.ts';
import { returnOutOfHours } from '../src/letters/sweep.ts';
import { openMailer } from './mailer.ts';
import { createPulse, watchMailer } from './pulse.ts';
import { openQueues } from './queue.ts';
import { startRelease } from './release.ts';
import { startSendingBundles } from './send-bundle.ts';
import { startSendingNotices } from './send-notice.ts';
import { startSendingReplies } from './send-reply.ts';
import { startTidying } from './tidy.ts';

/**
 * The worker role: releases letters, sends them and the notices, and looks after what fell out of the flow.
 * `close` lets what is in the air land, and puts the rest back.
 */
export async function startWorker(context: Context): Promise<{ close(): Promise<void> }> {
  const { database, databaseUrl, config, log } = context;
  const mailer = await openMailer(context);
  // apart, since other mail may find its way while all letters are with a relay that does not answer
  const [ofLetters, ofOthers] = [createPulse(), createPulse()];
  const otherMailer = watchMailer(mailer, ofOthers);
  const mark = await openMark(context, config.dataDir);
  await returnOutOfHours(database); // jobs may come before the first sweep
  const logbooks = await openLogbooks(config.dataDir, { name: randomUUID(), log });
  const workerId = await enlistWorker(database);
  // where the database is away, it is silent from now on, and others forget it for that
  const retire = () => retireWorker(database, workerId).catch(() => {});
  const queues = await openQueues({ redisUrl: config.redisUrl, databaseUrl }, log).catch(async (error) => {
    await retire();
    throw error;
  });
  const stopping = new AbortController();

  const notices = startSendingNotices(context, queues.notices, otherMailer);
  const replies = startSendingReplies(context, queues.replies, otherMailer);
  const bundles = startSendingBundles(context, queues, {
    workerId,
    logbooks,
    mark,
    mailer: watchMailer(mailer, ofLetters),
    stopping: stopping.signal,
    onDone: () => release.wake(),
  });
  const release = startRelease(context, queues, mark);
  const tidying = startTidying(context, queues, {
    workerId,
    logbooks,
    active: bundles.active,
    pulse: {
      underWay: () => ofLetters.underWay() + ofOthers.underWay(),
      quietFor: () => Math.max(ofLetters.quietFor(), ofOthers.quietFor()),
    },
    stuckFor: () => Math.max(release.stuckFor(), bundles.stuckFor()),
    mailer,
    mark,
  });
  const hints = listenForHints(databaseUrl, () => release.wake(), holdLock(workerId));
  log.info({ worker: workerId, queue: config.redisUrl ? 'redis' : 'postgres' }, 'the worker is running');

  return {
    async close() {
      stopping.abort();
      await hints.close();
      await Promise.all([release.stop(), tidying.stop()]);
      await Promise.all([bundles.close(), notices.close(), replies.close()]);
      await mailer.close();
      await mark.close();
      await retire();
      await queues.close();
      log.info({ worker: workerId }, 'the worker has stopped');
    },
  };
}
