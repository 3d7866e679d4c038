import { expect, it } from '@jest/globals';
import { createLog } from '../../src/log.ts';
import { openQueues } from '../../workers/queue.ts';
import { until } from '../support/advocate.ts';
import { startInstance } from '../support/instance.ts';
import { describeOnEachQueue, readQueue } from '../support/queues.ts';

describeOnEachQueue('the queue', (queue) => {
  it('forgets when jobs came and went', async () => {
    const instance = await startInstance({ ...queue(), roles: ['web'] });
    const { config, databaseUrl } = instance.context;
    const queues = await openQueues({ redisUrl: config.redisUrl, databaseUrl }, createLog('silent'));
    const done = new Set<string>();
    const work = queues.notices.work(async (id) => void done.add(id), 10);
    try {
      for (let round = 0; round < 10; round += 1) {
        const ids = Array.from({ length: 100 }, (_, n) => `${100 * round + n + 1}`);
        await queues.notices.add(ids.map((id) => ({ id })));
        await until(async () => done.size === 100 * (round + 1), 'all jobs');
      }
      await until(async () => (await eventsOf(instance)).some((one) => /\bj1000\b/.test(one)));
      const events = await eventsOf(instance);
      expect(events.length).toBeLessThan(800); // of four thousand
      expect(events.filter((one) => /\bj1\b/.test(one))).toEqual([]);
    } finally {
      await work.close();
      await queues.close();
      await instance.close();
    }
  });
});

/** Each event of the queue of notices. */
async function eventsOf(instance: Parameters<typeof readQueue>[0]): Promise<string[]> {
  const found = await readQueue(instance);
  const stream = found.find((text) => text.startsWith('outspoken:notices:events '));
  if (stream) return JSON.parse(stream.slice('outspoken:notices:events '.length)).map(String);
  return found.filter((text) => /^\(notices,\d+,(added|waiting|active|completed),/.test(text));
}
