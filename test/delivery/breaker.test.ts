import { beforeEach, describe, expect, it } from '@jest/globals';
import { heedOutcomes, type ReceiverState } from '../../src/letters/receiver-store.ts';
import { releaseLetters } from '../../src/letters/release-letters.ts';
import type { Outcome } from '../../src/mail/outcome.ts';
import { timelineOn, until } from '../support/advocate.ts';
import { prepareDelivery } from '../support/delivery.ts';
import {
  addressOf,
  bringForward,
  gate,
  letOthersPass,
  lettersAmong,
  lettersTo,
  messageIdOf,
  sentTwice,
  stateCounts,
  untilAllEnded,
  untilStates,
  writeMany,
} from '../support/letters.ts';
import type { Action } from '../support/smtp.ts';

/** Letters of one worker that may be with the mail server at once. */
const inTheAir = 10;
const busy = { reply: '421 4.7.0 too many messages, try again later' };
const putOff = { reply: '450 4.2.0 not now' };

const { smtp, instance } = prepareDelivery({ roles: ['web'] });
/** How often a letter to hm was offered to the server. */
let offers: number;
/** What hm's server says to the next offers; then, to all others. */
let answers: (Action | undefined)[];
let answer: Action | undefined;

beforeEach(() => {
  offers = 0;
  answers = [];
  answer = undefined;
  smtp.script((moment, { to }) => {
    if (moment !== 'rcpt' || to[0] !== addressOf('hm')) return undefined;
    offers += 1;
    return answers.length > 0 ? answers.shift() : answer;
  });
});

const receivers = () =>
  instance.query<{ domain: string; backoff: number | null }>('select domain, backoff from receiver');
/** However long what is looked at takes, no probe comes by itself meanwhile. */
const keepProbesAway = () =>
  instance.query("update receiver set probe_at = probe_at + interval '1 hour' where probe_at is not null");
const makeProbeDue = () => instance.query('update receiver set probe_at = now() where probe_at is not null');
const arrived = (brand: string) => lettersTo(brand, smtp.accepted).length;
const others = ['nike', 'nike', 'nike'];

describe('a host that answers 421', () => {
  it("gets a probe now and then, while everybody else's letters go their way", async () => {
    answer = busy;
    const people = 60;
    const writers = await writeMany(instance, { people, brands: ['hm', 'nike'] });
    await Promise.all([instance.startWorker(), instance.startWorker()]);
    await until(async () => arrived('nike') === people, 'all letters to nike', 60_000);
    await until(async () => {
      const { queued = 0, sending = 0 } = await stateCounts(instance);
      return queued + sending === 0;
    }, 'an end of what is under way');
    await keepProbesAway();

    // those that were in the air together were put off; the others came back untried
    const tried = offers;
    expect(tried).toBeGreaterThan(0);
    expect(tried).toBeLessThanOrEqual(2 * inTheAir);
    expect(await stateCounts(instance)).toEqual({
      accepted: people,
      deferred: tried,
      ready: people - tried,
    });
    const rows = await instance.query<{ state: string; tries: number }>(
      "select state::text, tries from letter where state <> 'accepted' group by 1, 2 order by 1",
    );
    expect(rows).toEqual([
      { state: 'deferred', tries: 1 },
      { state: 'ready', tries: 0 },
    ]);
    const timelines = await Promise.all(
      writers.map(async ({ receipt }) => timelineOn(await instance.visitor().get(receipt), 'hm')),
    );
    const types = new Set(timelines.map((events) => events.map(({ type }) => type).join(' ')));
    expect([...types].join('\n')).toMatch(/^drafted confirmed released( claimed)? returned$/m); // claimed ahead, perhaps
    await letOthersPass(instance, others);
    expect(offers).toBe(tried);
    expect(await receivers()).toEqual([{ domain: 'hm.example', backoff: 60 }]);

    // one probe per back-off, which becomes longer
    for (const [n, backoff] of [120, 240].entries()) {
      await makeProbeDue();
      await until(async () => (await receivers())[0]?.backoff === backoff, 'a probe', 30_000);
      await keepProbesAway();
      await letOthersPass(instance, others);
      expect(offers).toBe(tried + n + 1);
      expect(await receivers()).toEqual([{ domain: 'hm.example', backoff }]);
    }

    // a probe that is taken opens the way for all
    answer = undefined;
    await makeProbeDue();
    await untilStates(instance, { accepted: 2 * people + 9 - (tried + 2), deferred: tried + 2 });
    expect(await receivers()).toEqual([]);
    await bringForward(instance);
    expect(await untilAllEnded(instance)).toEqual({ accepted: 2 * people + 9 });
    expect(sentTwice(smtp)).toEqual([]);
  }, 120_000);

  it('gets no more of the letters to another contact that are under way, either', async () => {
    await instance.query(
      `update contact set address = 'press@hm.example' from brand
       where brand.id = brand_id and slug = 'puma'`,
    );
    const toPress = ({ to }: { to: string[] }) => to[0] === 'press@hm.example';
    const held = gate();
    smtp.script((moment, details) => {
      if (moment === 'dot' && toPress(details)) return { until: held.opened };
      return moment === 'rcpt' && details.to[0] === addressOf('hm') ? busy : undefined;
    });
    let asked = 0;
    try {
      await writeMany(instance, { people: 3 * inTheAir, brands: ['puma'] });
      await instance.startWorker();
      await until(async () => smtp.handedOver.filter(toPress).length === inTheAir, 'ten in the air');
      await instance.startWorker();
      // a letter that the first worker takes must wait there, since that one has its hands full
      for (; (await receivers()).length === 0 && asked < 5; asked += 1) {
        await writeMany(instance, { people: 1, brands: ['hm'] });
        await until(
          async () => !(await stateCounts(instance)).ready || (await receivers()).length === 1,
          'its release, or a break',
        );
      }
      await until(async () => (await receivers()).length === 1, 'a break');
      await keepProbesAway();
    } finally {
      held.open();
    }
    await until(async () => {
      const { accepted = 0, deferred = 0, ready = 0 } = await stateCounts(instance);
      return accepted === inTheAir && deferred > 0 && deferred + ready === 2 * inTheAir + asked;
    }, 'letters that wait again');
    await letOthersPass(instance, others);
    expect(smtp.handedOver.filter(toPress)).toHaveLength(inTheAir);
  });

  it('is tried out with a letter that it has seen before, so that greylisting comes to an end', async () => {
    answer = busy;
    await writeMany(instance, { people: 2 * inTheAir, brands: ['hm'] });
    await instance.startWorker();
    await until(async () => {
      const { ready = 0, deferred = 0 } = await stateCounts(instance);
      return deferred > 0 && ready + deferred === 2 * inTheAir;
    }, 'letters that wait again');
    const seen = await instance.query<{ message_id: string }>(
      "select message_id from letter where state = 'deferred'",
    );
    answer = undefined;
    await bringForward(instance);
    await untilStates(instance, { accepted: 2 * inTheAir });
    const [first] = lettersAmong(smtp.accepted);
    expect(seen.map(({ message_id }) => message_id)).toContain(first && messageIdOf(first));
  });
});

describe('a host that is tried out', () => {
  it('gets one letter, to whichever of its contacts, and no other before that is answered', async () => {
    await instance.query(
      `update contact set address = 'press@hm.example' from brand
       where brand.id = brand_id and slug = 'puma'`,
    );
    await writeMany(instance, { people: 2, brands: ['hm', 'puma'] });
    await instance.query("insert into receiver (domain, backoff, probe_at) values ('hm.example', 60, now())");
    const { database } = instance.context;
    expect(await releaseLetters(database)).toEqual([{ id: expect.any(String), size: 1 }]);
    await makeProbeDue(); // the answer takes longer than the host was to be left alone
    expect(await releaseLetters(database)).toEqual([]);
  });
});

describe('a host that puts letters off', () => {
  const writeOne = async (state: 'accepted' | 'deferred') => {
    const before = (await stateCounts(instance))[state] ?? 0;
    await writeMany(instance, { people: 1, brands: ['hm'] });
    await until(async () => ((await stateCounts(instance))[state] ?? 0) > before, `a letter ${state}`);
  };

  it('is left alone after three in a row, not after less', async () => {
    await instance.startWorker();
    answers = [putOff, putOff, undefined, putOff, putOff, putOff];
    await writeOne('deferred');
    await writeOne('deferred');
    await writeOne('accepted');
    expect(await receivers()).toEqual([]);
    for (let n = 0; n < 3; n += 1) await writeOne('deferred');
    expect(await receivers()).toEqual([{ domain: 'hm.example', backoff: 60 }]);
    await keepProbesAway();

    await writeMany(instance, { people: 1, brands: ['hm'] });
    await letOthersPass(instance, others);
    expect(offers).toBe(6);
    expect(await stateCounts(instance)).toEqual({ accepted: 4, deferred: 5, ready: 1 });
    await makeProbeDue();
    await untilStates(instance, { accepted: 5, deferred: 5 });
  });

  it('begins anew with every letter that it takes, also within one bundle', async () => {
    const heed = (receiver: ReceiverState, ...outcomes: Outcome[]) =>
      heedOutcomes(instance.context.database, { domain: 'hm.example', probe: false, receiver }, outcomes);
    const later: Outcome = { kind: 'try again', code: 450 };
    const before = await heed('well', later, later);
    const between = await heed(before, { kind: 'accepted', code: 250 });
    expect(await receivers()).toEqual([]);
    expect(await heed(between, later, later)).not.toBe('open');
    expect(await receivers()).toEqual([{ domain: 'hm.example', backoff: null }]);
  });
});

describe('a relay in trouble of its own', () => {
  it('is nothing that a receiving host is left alone for', async () => {
    let refusals = 0;
    smtp.script((moment) => {
      if (moment !== 'connect' || refusals >= 1) return undefined;
      refusals += 1;
      return { reply: '421 4.3.2 the relay is busy', hangUp: true };
    });
    await writeMany(instance, { people: 1, brands: ['hm'] });
    await instance.startWorker();
    await until(async () => refusals === 1, 'a refusal');
    await until(async () => {
      const { accepted = 0, deferred = 0 } = await stateCounts(instance);
      return accepted + deferred === 1;
    }, 'what became of the letter');
    expect(await receivers()).toEqual([]);
    await until(
      async () => {
        // until the relay is trusted again; a bundle whose job comes before that is found after ten seconds
        await bringForward(instance);
        return arrived('hm') === 1;
      },
      'the letter',
      60_000,
    );
  });
});
