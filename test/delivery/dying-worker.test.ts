import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { lettersOn, timelineOn, until } from '../support/advocate.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import {
  lettersAmong,
  messageIdOf,
  messageIdsIn,
  sentTwice,
  untilAllEnded,
  writeMany,
} from '../support/letters.ts';
import { type Program, startProgram, variablesFor } from '../support/program.ts';
import { describeOnEachQueue } from '../support/queues.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';
import { type Page, wordsOf } from '../support/visitor.ts';

/** What one worker has with the mail server at once, and so what its death can leave unknown. */
const inTheAir = 10;
const brands = ['hm', 'nike', 'puma', 'gap'];

describeOnEachQueue('a worker that dies while it sends', (queue) => {
  /** The mail server of the worker that will die: it reads messages and never answers. */
  let mute: TestSmtp;
  let smtp: TestSmtp;
  let instance: Instance;
  let worker: Program;
  beforeEach(async () => {
    mute = await startSmtp({ script: (moment) => (moment === 'dot' ? { hang: true } : undefined) });
    smtp = await startSmtp();
    instance = await startInstance({ ...queue(), smtpUrl: smtp.url, roles: ['web'] });
    worker = await startProgram(variablesFor(instance, mute.url), { args: ['--role', 'worker'] });
  }, 60_000);
  afterEach(async () => {
    worker.child.kill('SIGKILL');
    await worker.ended;
    await instance.close();
    await smtp.close();
    await mute.close();
  });
  const idsAt = (server: TestSmtp) => lettersAmong(server.handedOver).map(messageIdOf).sort();

  it('leaves at most ten letters unknown; all others go out through another worker, once', async () => {
    const writers = await writeMany(instance, { people: 60, brands });
    await until(async () => idsAt(mute).length === inTheAir, 'ten letters in the air', 60_000);
    await until(async () => (await taken()) >= 2, 'a bundle that is taken and not begun', 30_000);
    worker.child.kill('SIGKILL');
    await worker.ended;

    await instance.startWorker();
    // it takes a while to be sure that a worker is dead
    expect(await untilAllEnded(instance, 90_000)).toEqual({ unknown: inTheAir, accepted: 240 - inTheAir });

    // what may have arrived is what is said to be unknown, and the other server never saw it
    expect(await messageIdsIn(instance, 'unknown')).toEqual(idsAt(mute));
    expect(await messageIdsIn(instance, 'accepted')).toEqual(idsAt(smtp));
    expect([sentTwice(mute), sentTwice(smtp)]).toEqual([[], []]);

    // a bundle that it had taken and not begun went back, and out again
    const visitor = instance.visitor();
    const pages = await Promise.all(writers.map(({ receipt }) => visitor.get(receipt)));
    const timelines = pages.flatMap((page) => brands.map((brand) => timelineOn(page, brand)));
    expect(timelines.map((events) => events.map(({ type }) => type).join(' '))).toContain(
      'drafted confirmed released returned released claimed accepted',
    );

    const isUnknown = ({ state }: { state: string }) => state === 'unknown';
    const page = pages.find((one) => lettersOn(one).some(isUnknown)) as Page;
    const brand = lettersOn(page).find(isUnknown)?.brand as string;
    expect(wordsOf(page)).toContain('we do not know whether it arrived');
    expect(timelineOn(page, brand).map(({ type }) => type)).toEqual([
      ...['drafted', 'confirmed', 'released', 'claimed', 'sight_lost'],
    ]);
  }, 150_000);

  const taken = async () =>
    (
      await instance.query<{ n: number }>('select count(*)::int as n from bundle where worker_id is not null')
    )[0]?.n ?? 0;
});
