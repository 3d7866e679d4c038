import { beforeAll, expect, it } from '@jest/globals';
import { lettersOn, timelineOn } from '../support/advocate.ts';
import { prepareDelivery } from '../support/delivery.ts';
import {
  addressOf,
  bringForward,
  lettersTo,
  messageIdOf,
  untilTheyStand,
  type Writer,
  writeMany,
} from '../support/letters.ts';
import { describeOnEachQueue } from '../support/queues.ts';
import type { Action, Moment } from '../support/smtp.ts';
import { wordsOf } from '../support/visitor.ts';

const host = 'mx.brand.example';
const answered = (code: number, response: string) => ({ code: String(code), host, response });
const silent = { code: '', host, response: '' };

/** What the mail server of each brand does with the first letter, and what a person is told about it. */
const cases: { what: string; brand: string; at: Moment; does: Action; state: string; last: object }[] = [
  {
    what: '250 after the final dot',
    brand: 'hm',
    at: 'dot',
    does: { reply: '250 2.0.0 queued as 4711' },
    state: 'accepted',
    last: { type: 'accepted', ...answered(250, '250 2.0.0 queued as 4711') },
  },
  {
    what: 'another 2yz after the final dot, with characters in it that cannot be stored or shown',
    brand: 'inditex',
    at: 'dot',
    does: { reply: '252 2.0.0 taken,\0 we \u202eshall\x07 see' },
    state: 'accepted',
    last: { type: 'accepted', ...answered(252, '252 2.0.0 taken, we shall see') },
  },
  {
    what: '550 for the recipient',
    brand: 'nike',
    at: 'rcpt',
    does: { reply: '550 5.1.1 no such mailbox' },
    state: 'rejected',
    last: { type: 'rejected', ...answered(550, '550 5.1.1 no such mailbox') },
  },
  {
    what: '552 after the final dot, in two lines',
    brand: 'c-and-a',
    at: 'dot',
    does: { reply: '552-5.2.2 this mailbox\r\n552 5.2.2 is <full>' },
    state: 'rejected',
    last: { type: 'rejected', ...answered(552, '552-5.2.2 this mailbox 552 5.2.2 is <full>') },
  },
  {
    what: '421 after the final dot',
    brand: 'adidas',
    at: 'dot',
    does: { reply: '421 4.3.2 closing, come back', hangUp: true },
    state: 'deferred',
    last: { type: 'deferred', ...answered(421, '421 4.3.2 closing, come back') },
  },
  {
    what: '450 for the recipient',
    brand: 'american-eagle',
    at: 'rcpt',
    does: { reply: '450 4.2.0 greylisted' },
    state: 'deferred',
    last: { type: 'deferred', ...answered(450, '450 4.2.0 greylisted') },
  },
  {
    what: '451 after the final dot',
    brand: 'asics',
    at: 'dot',
    does: { reply: '451 4.3.0 try later' },
    state: 'deferred',
    last: { type: 'deferred', ...answered(451, '451 4.3.0 try later') },
  },
  {
    what: 'the connection was cut before the letter was over',
    brand: 'gap',
    at: 'data',
    does: { cut: 'rst' },
    state: 'deferred',
    last: { type: 'deferred', ...silent },
  },
  {
    what: 'the connection was reset after the final dot',
    brand: 'levis',
    at: 'dot',
    does: { cut: 'rst' },
    state: 'unknown',
    last: { type: 'sight_lost', ...silent },
  },
  {
    what: 'the connection was closed after the final dot',
    brand: 'puma',
    at: 'dot',
    does: { cut: 'fin' },
    state: 'unknown',
    last: { type: 'sight_lost', ...silent },
  },
];
const withState = (state: string) => cases.filter((one) => one.state === state).map(({ brand }) => brand);
const underWay = ['ready', 'queued', 'sending'];

describeOnEachQueue('what becomes of a letter', (queue) => {
  const { smtp, instance } = prepareDelivery({ queue, shared: true });
  let writer: Writer;

  beforeAll(async () => {
    smtp.script(
      (moment, { to }) =>
        // an answer to RCPT or later knows whose letter it is
        cases.find(({ brand, at }) => at === moment && to[0] === addressOf(brand))?.does,
    );
    [writer] = (await writeMany(instance, { people: 1, brands: cases.map(({ brand }) => brand) })) as [
      Writer,
    ];
    await untilNone(underWay);
  });

  const receipt = () => instance.visitor().get(writer.receipt);
  const untilNone = (unwanted: string[]) =>
    untilTheyStand(
      instance,
      writer,
      (states) => !Object.values(states).some((state) => unwanted.includes(state)),
    );
  const arrivedFor = (brand: string) => lettersTo(brand, smtp.handedOver);
  const triesOf = async (brand: string) => {
    const [row] = await instance.query<{ tries: number }>(
      'select tries from letter join brand on brand.id = brand_id where slug = $1',
      [brand],
    );
    return row?.tries;
  };

  it.each(cases)('shows a letter as $state when the answer was: $what', async ({ brand, state, last }) => {
    const page = await receipt();
    expect(lettersOn(page).find((letter) => letter.brand === brand)?.state).toBe(state);
    const timeline = timelineOn(page, brand);
    expect(timeline.map(({ type }) => type).slice(0, -1)).toEqual([
      'drafted',
      'confirmed',
      'released',
      'claimed',
    ]);
    expect(timeline.at(-1)).toEqual(last);
    expect(await triesOf(brand)).toBe(1);
  });

  it('tells a person when a deferred letter is tried again: five minutes after the first try', async () => {
    const rows = await instance.query<{ slug: string; wait: number; listed: number }>(
      `select slug, extract(epoch from letter.due_at - state_at)::float8 as wait,
         (select count(*)::int from waiting_letter
          where letter_id = letter.id and deferred and waiting_letter.due_at = letter.due_at) as listed
       from letter join brand on brand.id = brand_id where state = 'deferred' order by slug`,
    );
    expect(rows.map(({ slug }) => slug)).toEqual(withState('deferred').toSorted());
    for (const { wait, listed } of rows) {
      expect(wait).toBeGreaterThanOrEqual(300);
      expect(wait).toBeLessThanOrEqual(330);
      expect(listed).toBe(1);
    }
    expect(wordsOf(await receipt())).toContain('Will be tried again after');
  });

  it('sends deferred letters again when they are due, as the same messages, and no others', async () => {
    const firstTry = new Map(withState('deferred').map((brand) => [brand, arrivedFor(brand)[0]]));
    smtp.script(undefined);
    await bringForward(instance);
    await untilNone(['deferred', ...underWay]);
    const page = await receipt();

    for (const brand of withState('deferred')) {
      expect(timelineOn(page, brand).map(({ type }) => type)).toEqual([
        ...['drafted', 'confirmed', 'released', 'claimed', 'deferred'],
        ...['fell_due', 'released', 'claimed', 'accepted'],
      ]);
      expect(await triesOf(brand)).toBe(2);
      const first = firstTry.get(brand);
      const arrived = arrivedFor(brand);
      const [row] = await instance.query<{ message_id: string }>(
        'select message_id from letter join brand on brand.id = brand_id where slug = $1',
        [brand],
      );
      expect(messageIdOf(arrived.at(-1) as (typeof arrived)[number])).toBe(row?.message_id);
      if (first) expect(messageIdOf(first)).toBe(row?.message_id);
    }
    // a control: some first tries got as far as a whole message, so that two could be compared
    expect([...firstTry.values()].filter(Boolean).length).toBeGreaterThan(0);

    // a refusal is for ever, and nobody knows what became of an unknown one: neither went out again
    for (const brand of [...withState('rejected'), ...withState('unknown'), ...withState('accepted')]) {
      expect(await triesOf(brand)).toBe(1);
      expect(timelineOn(page, brand)).toHaveLength(5);
      expect(arrivedFor(brand).length).toBeLessThanOrEqual(1);
    }
  });
});
