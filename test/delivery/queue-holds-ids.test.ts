import { beforeAll, expect, it } from '@jest/globals';
import { confirmationLink, until, writeLetters } from '../support/advocate.ts';
import { prepareDelivery } from '../support/delivery.ts';
import { gate, lettersAmong, stateCounts, untilStates, writeTogether } from '../support/letters.ts';
import { describeOnEachQueue, jobsIn, readQueue } from '../support/queues.ts';

const person = (n: number) => `planted-person-${n}@mailbox.example`;
const planted = {
  identity: 'named',
  name: 'Planted Name',
  country: 'KH',
  words: 'Planted own words about the factory.',
};
const people = [0, 1, 2, 3, 4, 5];

describeOnEachQueue('what lies in the queue', (queue) => {
  const { smtp, instance } = prepareDelivery({ queue, shared: true });
  /** The queue while notices wait, and while letters do. */
  let withNotices: string[];
  let withLetters: string[];

  beforeAll(async () => {
    const first = gate();
    smtp.script((moment) => (moment === 'dot' ? { until: first.opened } : undefined));
    for (const n of people) {
      await writeLetters(instance.visitor(), { ...planted, email: person(n), brand: ['hm', 'nike', 'puma'] });
    }
    const jobs = async (kind: string, count: number) => {
      const found = await readQueue(instance);
      return jobsIn(found, kind).length >= count && found;
    };
    withNotices = await until(() => jobs('notices', people.length), 'jobs of notices');
    first.open();
    const links = await Promise.all(people.map((n) => confirmationLink(smtp, person(n))));

    const second = gate();
    smtp.script((moment) => (moment === 'dot' ? { until: second.opened } : undefined));
    for (const link of links) expect((await instance.visitor().post(link)).status).toBe(303);
    // however long it takes to write them: there is room for forty bundles, and all shall be on their way
    await writeTogether(instance, { people: 60, brands: ['hm', 'nike', 'puma', 'gap', 'asics'] });
    const released = async () => {
      const { sending = 0, queued = 0 } = await stateCounts(instance);
      return sending > 0 && sending + queued === 318;
    };
    await until(released, 'letters on their way');
    withLetters = await until(() => jobs('bundles', 5), 'jobs of bundles');
    second.open();
  });

  it('is ids: nothing that a person said, and nothing that leads to them, to a letter or to a brand', async () => {
    await untilStates(instance, { accepted: 318 });
    const everything = [...withNotices, ...withLetters].join('\n');
    // a control: the ids are there, and what is searched for was really sent
    expect(everything).toMatch(/\bj\d+\b/);
    expect(
      lettersAmong(smtp.accepted)
        .map(({ raw }) => raw.toString())
        .join(),
    ).toContain('Planted Name');

    for (const secret of ['lanted', 'mailbox', 'example', 'human-rights', 'nike', 'Nike', 'KH']) {
      expect(everything).not.toContain(secret);
    }
    const letters = await instance.query<{ handle: string }>(
      "select split_part(message_id, '@', 1) as handle from letter",
    );
    expect(letters.filter(({ handle }) => everything.includes(handle))).toEqual([]);
  });

  it('holds no words but those of BullMQ itself', () => {
    const words = [...withNotices, ...withLetters]
      .join('\n')
      .replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '') // tokens of BullMQ's locks
      .match(/[A-Za-z]+/g);
    const known = [
      ...[
        'outspoken',
        'singles',
        'bundles',
        'notices',
        'replies',
        'j',
        'name',
        'data',
        'jobId',
        'event',
        'events',
        'id',
      ],
      ...[
        'opts',
        'maxLenEvents',
        'version',
        'bullmq',
        'meta',
        'marker',
        'pc',
        'stalled',
        'check',
        'lock',
        'probe',
      ],
      ...['added', 'duplicated', 'waiting', 'wait', 'active', 'prev', 'completed', 'drained', 'returnvalue'],
      ...['attempts', 'priority', 'timestamp', 'delay', 'processedOn', 'ats', 'null', 't', 'f'],
    ];
    expect([...new Set(words)].filter((word) => !known.includes(word))).toEqual([]);
  });

  it('is small: under 64 bytes of JSON for the data and the options of a job', () => {
    const jobs = [...jobsIn(withNotices, 'notices'), ...jobsIn(withLetters, 'bundles')];
    expect(jobs.length).toBeGreaterThanOrEqual(11);
    for (const { data, opts } of jobs) {
      expect(data).toBe('{}');
      expect(Buffer.byteLength(opts)).toBeLessThan(64);
      expect(Object.keys(JSON.parse(opts)).sort()).toEqual(['attempts', 'jobId']);
    }
  });
});
