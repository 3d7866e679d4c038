import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Evidence, resolveUnknown } from '../../src/letters/unknown-letters.ts';
import { timelineOn } from '../support/advocate.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import {
  bringForward,
  messageIdOf,
  messageIdsIn,
  stateCounts,
  statesOf,
  untilStates,
  writeMany,
} from '../support/letters.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

let smtp: TestSmtp;
let instance: Instance;
beforeAll(async () => {
  // every message is read up to the final dot, and then the connection is cut
  smtp = await startSmtp({ script: (moment) => (moment === 'dot' ? { cut: 'rst' } : undefined) });
  instance = await startInstance({ smtpUrl: smtp.url });
});
afterAll(async () => {
  await instance.close();
  await smtp.close();
});

const logged = (messageId: string, accepted: boolean): Evidence => ({
  messageId,
  accepted,
  host: 'mx.brand.example',
  response: accepted ? '250 2.0.0 Ok: queued as 4XyZ' : '',
});
const play = (evidence: Evidence[]) => resolveUnknown(instance.context.database, evidence);

describe("a relay's log, played to letters of which nobody knows whether they arrived", () => {
  it('makes those that it has accepted, with its words, and sends those that it lacks again', async () => {
    const [writer] = await writeMany(instance, { people: 1, brands: ['hm', 'nike', 'puma'] });
    await untilStates(instance, { unknown: 3 });
    const byBrand = new Map(
      smtp.handedOver.map((message) => [
        /@(\w+)\.example/.exec(message.to[0] ?? '')?.[1],
        messageIdOf(message),
      ]),
    );
    const [hm = '', nike = ''] = ['hm', 'nike'].map((brand) => byBrand.get(brand));

    smtp.script(undefined);
    expect(await play([logged(hm, true), logged(nike, false)])).toEqual({ accepted: 1, resent: 1 });
    await untilStates(instance, { accepted: 2, unknown: 1 });
    expect(await statesOf(instance, writer as NonNullable<typeof writer>)).toEqual({
      hm: 'accepted',
      nike: 'accepted',
      puma: 'unknown',
    });
    const page = await instance.visitor().get(writer?.receipt ?? '');
    expect(timelineOn(page, 'hm').at(-1)).toEqual({
      type: 'accepted',
      code: '250',
      host: 'mx.brand.example',
      response: '250 2.0.0 Ok: queued as 4XyZ',
    });
    expect(timelineOn(page, 'nike').map(({ type }) => type)).toEqual(
      'drafted confirmed released claimed sight_lost resent released claimed accepted'.split(' '),
    );
    expect(smtp.accepted.map(messageIdOf)).toEqual([nike]);
  });

  it('changes nothing when it is played again, or names letters that are not unknown', async () => {
    const before = await stateCounts(instance);
    const [accepted = ''] = await messageIdsIn(instance, 'accepted');
    const evidence = [
      logged(accepted, false),
      logged(accepted, true),
      logged('nobody@outspoken.example', false),
    ];
    expect(await play(evidence)).toEqual({ accepted: 0, resent: 0 });
    expect(await play([])).toEqual({ accepted: 0, resent: 0 });
    expect(await stateCounts(instance)).toEqual(before);
  });

  it('gives a letter that it lacks five days of its own, however long ago that was sent', async () => {
    smtp.script((moment) => (moment === 'dot' ? { cut: 'rst' } : undefined));
    const [writer] = await writeMany(instance, { people: 1, brands: ['gap'] });
    await untilStates(instance, { accepted: 2, unknown: 2 });
    const [lost] = await instance.query<{ message_id: string }>(
      `update letter set first_tried_at = first_tried_at - interval '6 days'
       where id = (select max(id) from letter) returning message_id`,
    );
    smtp.script((moment) => (moment === 'rcpt' ? { reply: '451 4.7.1 greylisted, come again' } : undefined));
    await play([logged(lost?.message_id ?? '', false)]);
    await untilStates(instance, { accepted: 2, unknown: 1, deferred: 1 });
    smtp.script(undefined);
    await bringForward(instance);
    instance.context.hint();
    await untilStates(instance, { accepted: 3, unknown: 1 });
    expect(await statesOf(instance, writer as NonNullable<typeof writer>)).toEqual({ gap: 'accepted' });
  });
});
