import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { statement } from '../../src/db/database.ts';
import { lettersOn, timelineOn, until } from '../support/advocate.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import {
  gate,
  lettersAmong,
  messageIdOf,
  messageIdsIn,
  sentTwice,
  untilAllEnded,
  untilStates,
  writeMany,
  writeTogether,
} from '../support/letters.ts';
import { untilSomebodyWaits } from '../support/moments.ts';
import { type Program, startProgram, variablesFor } from '../support/program.ts';
import { describeOnEachQueue, type QueueOption } from '../support/queues.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';
import { type Page, wordsOf } from '../support/visitor.ts';

const lockLetters = statement("select from letter where state = 'sending' for update");
const endThoseWhoWait = `
  select pg_terminate_backend(pid) from pg_stat_activity
  where datname = current_database() and wait_event_type = 'Lock'`;

/** What one worker has with the mail server at once, and so what its death can leave unknown. */
const inTheAir = 10;
const brands = ['hm', 'nike', 'puma', 'gap'];

/** A worker in a process of its own, whose mail server reads messages and never answers, and an instance for its heirs. */
function prepareDying(queue: QueueOption) {
  const it = {} as { mute: TestSmtp; smtp: TestSmtp; instance: Instance; worker: Program };
  beforeEach(async () => {
    it.mute = await startSmtp({ script: (moment) => (moment === 'dot' ? { hang: true } : undefined) });
    it.smtp = await startSmtp();
    it.instance = await startInstance({ ...queue(), smtpUrl: it.smtp.url, roles: ['web'] });
    it.worker = await startProgram(variablesFor(it.instance, it.mute.url), { args: ['--role', 'worker'] });
  }, 60_000);
  afterEach(async () => {
    it.worker.child.kill('SIGKILL');
    await it.worker.ended;
    await it.instance.close();
    await it.smtp.close();
    await it.mute.close();
  });
  return it;
}

const idsAt = (server: TestSmtp) => lettersAmong(server.handedOver).map(messageIdOf).sort();

describeOnEachQueue('a worker that dies while it sends', (queue) => {
  const parts = prepareDying(queue);

  it('leaves at most ten letters unknown; all others go out through another worker, once', async () => {
    const { mute, smtp, instance, worker } = parts;
    const taken = async () => (await instance.query('select from bundle where worker_id is not null')).length;
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
});

// apart, since what the other one leaves in the queue has the names of what this one adds
describeOnEachQueue('a worker that dies before it records', (queue) => {
  const parts = prepareDying(queue);

  it('loses nothing of what the mail server said, although none of it was recorded', async () => {
    const { mute, smtp, instance, worker } = parts;
    const held = gate();
    mute.script((moment) => (moment === 'dot' ? { until: held.opened } : undefined));
    await writeTogether(instance, { people: 30, brands: ['hm'] });
    await until(async () => idsAt(mute).length === inTheAir, 'ten letters in the air');
    await instance.context.database.transaction(async (transaction) => {
      await transaction.rows(lockLetters);
      held.open();
      await until(async () => mute.accepted.length === inTheAir, 'answers');
      await untilSomebodyWaits(instance);
      worker.child.kill('SIGKILL');
      await worker.ended;
      await instance.query(endThoseWhoWait); // the server would do what the dead had asked for
    });
    await instance.startWorker();
    await untilStates(instance, { accepted: 30 });
    expect(idsAt(smtp)).toHaveLength(30 - inTheAir);
    expect(await messageIdsIn(instance, 'accepted')).toEqual([...idsAt(mute), ...idsAt(smtp)].sort());
  }, 150_000);
});
