import { describe, expect, it } from '@jest/globals';
import { createRates, inboundLimits, network } from '../../src/inbound/limits.ts';
import { collect } from '../../src/inbound/listener.ts';
import { penRoom } from '../../src/inbound/pen.ts';
import { createReception } from '../../src/inbound/reception.ts';
import { sendLetter } from '../support/came-back.ts';
import { prepareDelivery } from '../support/delivery.ts';
import { bring } from '../support/mail-client.ts';

const { instance } = prepareDelivery({ roles: ['web', 'worker', 'inbound'], shared: true });

const fill = (mails: number, bytes: number) =>
  instance.query(
    `insert into pen (reason, digest, data_key, key_version, raw)
     select 'postmaster', sha256(n::text::bytea), '', 1, decode(repeat('00', $2), 'hex') from generate_series(1, $1) n`,
    [mails, bytes],
  );
const writeToPostmaster = async (id: number) =>
  (
    await bring(instance.inboundPort, {
      to: 'postmaster@outspoken.example',
      from: 'somebody@brand.example',
      raw: `Message-ID: <${id}@brand.example>\nFrom: somebody@brand.example\n\nHello\n`,
    })
  ).at(-1);

describe('what strangers send', () => {
  it('fills the room that is theirs and no more, and keeps no letter’s mail out', async () => {
    await fill(penRoom.strangers - 1, 1);
    expect(await writeToPostmaster(1)).toMatch(/^250 /);
    expect(await writeToPostmaster(2)).toMatch(/^451 /);
    const letter = await sendLetter(instance);
    expect((await letter.bring('reply', letter.replyTo)).at(-1)).toMatch(/^250 /);
    await instance.query('delete from pen where letter_id is null');
    expect(await writeToPostmaster(2)).toMatch(/^250 /);
  });

  it('fills it by its size as well', async () => {
    await fill(10, (penRoom.strangers * penRoom.bytesPerMail) / 10);
    expect(await writeToPostmaster(3)).toMatch(/^451 /);
    await instance.query('delete from pen where letter_id is null');
  });

  it('is not held in memory beyond what they may bring, however much they send', async () => {
    const sent = async function* () {
      for (let megabytes = 0; megabytes < 5; megabytes += 1 / 16) yield Buffer.alloc(64 * 1024, 'x');
    };
    const of = (most: number) => collect(Object.assign(sent(), { sizeExceeded: false }), most);
    const stopped = await of(inboundLimits.strangersSize);
    expect(stopped?.length).toBeGreaterThan(inboundLimits.strangersSize);
    expect(stopped?.buffer.byteLength).toBeLessThan(4 * inboundLimits.strangersSize);
    expect(await of(inboundLimits.size)).toHaveLength(5 * 1024 * 1024);
  });

  it('counts a hundred times for one letter, and then changes nothing', async () => {
    const letter = await sendLetter(instance);
    await instance.query(
      `insert into came_back (letter_id, digest)
       select id, sha256(n::text::bytea) from letter, generate_series(1, 99) n where message_id = $1`,
      [letter.messageId],
    );
    expect((await letter.bring('postfix-delayed')).at(-1)).toMatch(/^250 /);
    expect((await letter.timeline()).at(-1)?.type).toBe('delayed');
    expect((await letter.bring('postfix-failed')).at(-1)).toMatch(/^250 /);
    expect(await letter.state()).toBe('accepted');
  });
});

describe('what nobody understands of the mail about letters', () => {
  it('fills a larger room, and comes again later when that is full, while strangers have theirs', async () => {
    const letter = await sendLetter(instance);
    await instance.query(
      `insert into pen (reason, letter_id, digest, data_key, key_version, raw)
       select 'unreadable', id, sha256(n::text::bytea), '', 1, '' from letter, generate_series(2, $1::int) n
       where message_id = $2`,
      [penRoom.letters, letter.messageId],
    );
    expect((await letter.bring('unknown-bounce')).at(-1)).toMatch(/^250 /);
    expect((await letter.bring('report-without-status')).at(-1)).toMatch(/^451 /);
    expect(await writeToPostmaster(4)).toMatch(/^250 /);
    await instance.query("delete from pen where reason = 'unreadable'");
    expect((await letter.bring('report-without-status')).at(-1)).toMatch(/^250 /);
    await instance.query('delete from pen');
  });
});

describe('a mail to two letters', () => {
  it('is kept for each, so that the end of one does not take it from the other', async () => {
    const [one, other] = [await sendLetter(instance), await sendLetter(instance)];
    const raw = 'Message-ID: <both@brand.example>\nFrom: somebody@brand.example\n\nTo you both\n';
    const answers = await bring(instance.inboundPort, {
      to: [one.replyTo, other.replyTo],
      from: 'somebody@brand.example',
      raw,
    });
    expect(answers.at(-1)).toMatch(/^250 /);
    const kept = async () => await instance.query('select distinct letter_id from reply');
    const before = (await kept()).length;
    await instance.visitor().post(`${one.receipt}/erase`);
    expect(await kept()).toHaveLength(before - 1);
  });
});

describe('the counting of clients', () => {
  it('takes a whole network of IPv6 for one client, and every address of IPv4 for another', () => {
    expect(network('192.0.2.1')).not.toBe(network('192.0.2.2'));
    expect(network('2001:db8:1:2:3:4:5:6')).toBe(network('2001:db8:1:2::1'));
    expect(network('2001:db8::1')).toBe(network('2001:db8::2:3:4'));
    expect(network('2001:db8:0:1::1')).not.toBe(network('2001:db8::1'));
    expect(network('::1')).toBe('0:0:0:0');
    expect(network('::ffff:192.0.2.1')).toBe(network('192.0.2.1'));
    expect(network('::ffff:192.0.2.1')).not.toBe(network('::ffff:192.0.2.2'));
  });

  it('lets a network of IPv6 have as many connections at a time as one client, and no more', () => {
    const reception = createReception(instance.context, { ...inboundLimits, connectionsPerClient: 2 });
    const come = (id: string, remoteAddress: string) =>
      reception.connect({ id, remoteAddress, envelope: { mailFrom: false, rcptTo: [] } } as never);
    come('1', '2001:db8::1');
    come('2', '2001:db8::2');
    expect(() => come('3', '2001:db8::3')).toThrow('too many connections');
    come('4', '2001:db8:0:1::1');
    reception.leave({ id: '1' } as never);
    come('5', '2001:db8::3');
  });

  it('starts anew every minute', () => {
    let now = 0;
    const rates = createRates({ connections: 2, messages: 1, strangers: 1 }, () => now);
    const said = () => rates.count('connections', '192.0.2.1');
    expect([said(), said(), said()]).toEqual([true, true, false]);
    expect(rates.isFull('connections', '192.0.2.1')).toBe(true);
    expect(rates.count('connections', '192.0.2.2')).toBe(true);
    now = 60_000;
    expect(rates.isFull('connections', '192.0.2.1')).toBe(false);
    expect(said()).toBe(true);
  });
});
