import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import type { Role } from '../../src/config.ts';
import { type Instance, startInstance } from './instance.ts';
import type { QueueOption } from './queues.ts';
import { startSmtp, type TestSmtp } from './smtp.ts';

/** What a test of delivery begins with. */
export type Delivery = { smtp: TestSmtp; instance: Instance };

type Wishes = {
  queue?: QueueOption;
  roles?: Role[];
  /** One of each for all tests of the suite. */
  shared?: boolean;
};

/**
 * An instance and the mail server that it sends through, for each test of the suite that asks for them. They are there as
 * soon as hooks and tests run, and are closed after each test.
 */
export function prepareDelivery({ queue, roles, shared = false }: Wishes = {}): Delivery {
  const running: Partial<Delivery> = {};
  const [before, after] = shared ? [beforeAll, afterAll] : [beforeEach, afterEach];
  before(async () => {
    running.smtp = await startSmtp();
    running.instance = await startInstance({ ...queue?.(), roles, smtpUrl: running.smtp.url });
  });
  after(async () => {
    // first, so that a test that failed leaves no letters in the air, whose end would be waited for
    await running.smtp?.close();
    await running.instance?.close();
    delete running.instance;
    delete running.smtp;
  });
  return { smtp: standIn(() => running.smtp), instance: standIn(() => running.instance) };
}

/** Stands for what is started later, so that a suite can name it before. */
function standIn<Thing extends object>(find: () => Thing | undefined): Thing {
  const found = () => {
    const thing = find();
    if (!thing) throw new Error('it does not run yet, or not any more');
    return thing;
  };
  return new Proxy({} as Thing, {
    get: (_nothing, name) => Reflect.get(found(), name),
    has: (_nothing, name) => name in found(),
  });
}
