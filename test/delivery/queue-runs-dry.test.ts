import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { createLog } from '../../src/log.ts';
import { openQueues, type Queues } from '../../workers/queue.ts';
import { until } from '../support/advocate.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { describeOnEachQueue } from '../support/queues.ts';

describeOnEachQueue('a queue that runs dry', (queue) => {
  let instance: Instance;
  let queues: Queues;
  beforeEach(async () => {
    instance = await startInstance({ ...queue(), roles: ['web'] });
    const { config, databaseUrl } = instance.context;
    queues = await openQueues({ redisUrl: config.redisUrl, databaseUrl }, createLog('silent'));
  });
  afterEach(async () => {
    await queues.close();
    await instance.close();
  });

  it('says so when the last job was taken, and again the next time', async () => {
    const taken: string[] = [];
    const dry: number[] = [];
    await queues.bundles.add([{ id: '1' }, { id: '2' }, { id: '3' }]);
    const worker = queues.bundles.work(
      async (id) => {
        taken.push(id);
      },
      1,
      () => dry.push(taken.length),
    );
    await until(async () => dry.length === 1, 'the first time');
    expect(taken).toHaveLength(3);
    await queues.bundles.add([{ id: '4' }]);
    await until(async () => dry.length === 2, 'the second time');
    expect(dry).toEqual([3, 4]);
    await worker.close();
  });
});
