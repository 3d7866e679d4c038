import { createHash } from 'node:crypto';
import { beforeAll, expect, it } from '@jest/globals';
import { simpleParser } from 'mailparser';
import { until, writeAndConfirm } from '../support/advocate.ts';
import { prepareDelivery } from '../support/delivery.ts';
import {
  addCampaign,
  addressOf,
  lettersAmong,
  messageIdOf,
  untilAllEnded,
  writeMany,
} from '../support/letters.ts';
import { describeOnEachQueue } from '../support/queues.ts';
import type { Caught } from '../support/smtp.ts';

const address = 'mara.planted-address@mailbox.example';
const brands = ['hm', 'nike', 'tchibo'];

describeOnEachQueue('what a letter carries', (queue) => {
  const { smtp, instance } = prepareDelivery({ queue, shared: true });
  let letters: Caught[];
  let notices: Caught[];

  beforeAll(async () => {
    await writeAndConfirm(smtp, instance.visitor(), {
      brand: brands,
      email: address,
      identity: 'described',
      description: 'a garment worker',
      words: 'Planted own words.',
    });
    await untilArrived(brands.length);
    await untilAllEnded(instance); // a message arrives a moment before that is recorded
    letters = lettersAmong(smtp.accepted);
    notices = smtp.accepted.filter((message) => !letters.includes(message));
  });

  const untilArrived = (count: number) =>
    until(async () => lettersAmong(smtp.accepted).length >= count, `${count} letters`, 60_000);

  it('goes to one recipient per message, each under the Message-ID of its row', async () => {
    const rows = await instance.query<{ slug: string; message_id: string; hash: string }>(
      `select slug, message_id, encode(sent_sha256, 'hex') as hash
       from letter join brand on brand.id = brand_id order by slug`,
    );
    const arrived = letters.map((letter) => ({
      to: letter.to,
      message_id: messageIdOf(letter),
      hash: createHash('sha256').update(letter.raw).digest('hex'),
    }));
    expect(arrived.sort((a, b) => (String(a.to) < String(b.to) ? -1 : 1))).toEqual(
      rows.map(({ slug, message_id, hash }) => ({ to: [addressOf(slug)], message_id, hash })),
    );
    for (const { raw, to } of letters) {
      const { headers, to: header } = await simpleParser(raw);
      expect([header].flat().flatMap((line) => line?.value.map((box) => box.address))).toEqual(to);
      expect([headers.has('cc'), headers.has('bcc')]).toEqual([false, false]);
    }
  });

  it('comes from the domain of the instance, with aliases that name nothing but the letter', async () => {
    for (const { raw, from } of letters) {
      const mail = await simpleParser(raw);
      const handle = messageIdOf({ raw }).split('@')[0];
      expect(messageIdOf({ raw })).toMatch(/^[0-9a-f]{20}@outspoken\.example$/);
      expect(mail.from?.value[0]?.address).toBe('letters@outspoken.example');
      expect(mail.replyTo?.value.map((box) => box.address)).toEqual([`r.${handle}@outspoken.example`]);
      expect(from.startsWith(`b.${handle}.`)).toBe(true);
      expect(from.endsWith('@outspoken.example')).toBe(true);
      expect([...mail.headers.keys()].sort()).toEqual([
        ...['content-language', 'content-transfer-encoding', 'content-type', 'date', 'from'],
        ...['message-id', 'mime-version', 'reply-to', 'subject', 'to'],
      ]);
    }
  });

  it("holds the person's words, and their address nowhere, however it may be encoded", async () => {
    const [local = ''] = address.split('@');
    for (const { raw } of letters) {
      expect((await simpleParser(raw)).text).toContain('Planted own words.');
      expect(everything(raw, await simpleParser(raw))).not.toContain(local);
    }
    // a control: the search finds the address in the mail that is for the person
    const [notice] = notices;
    if (!notice) throw new Error('there was no notice');
    expect(everything(notice.raw, await simpleParser(notice.raw))).toContain(local);
  });

  it('does not call itself automatic, since a person wrote it; a notice does', async () => {
    expect(notices).toHaveLength(1);
    const header = async ({ raw }: Caught) => (await simpleParser(raw)).headers.get('auto-submitted');
    expect(await Promise.all(notices.map(header))).toEqual(['auto-generated']);
    expect(await Promise.all(letters.map(header))).toEqual([undefined, undefined, undefined]);
  });

  it('is brought in the name of the instance’s domain, not in that of its machine, which relays would pass on', () => {
    expect(new Set(smtp.accepted.map(({ greeting }) => greeting))).toEqual(
      new Set(['EHLO outspoken.example']),
    );
  });

  it("comes from the campaign's own domain where it has one", async () => {
    const [brand = ''] = await addCampaign(instance, 'own-domain');
    await instance.query("update campaign set mail_domain = 'letters.campaign.example' where slug = $1", [
      'own-domain',
    ]);
    await writeMany(instance, { people: 1, brands: [brand], campaign: 'own-domain' });
    await untilArrived(brands.length + 1);
    const letter = lettersAmong(smtp.accepted).at(-1) as Caught;
    const mail = await simpleParser(letter.raw);
    const addresses = [mail.from?.value[0]?.address, mail.replyTo?.value[0]?.address, letter.from];
    expect(addresses.map((box) => box?.split('@')[1])).toEqual(Array(3).fill('letters.campaign.example'));
    expect(mail.messageId).toMatch(/@letters\.campaign\.example>$/);
  });
});

/** The bytes, what they decode to, and what is hidden in base64 in them. */
function everything(raw: Buffer, { headerLines, text, html }: Awaited<ReturnType<typeof simpleParser>>) {
  const decoded = [...raw.toString('latin1').matchAll(/[A-Za-z0-9+/=_-]{12,}/g)].flatMap(([word]) =>
    [0, 1, 2, 3].map((from) => Buffer.from(word.slice(from), 'base64').toString('latin1')),
  );
  return [raw.toString('latin1'), headerLines.map(({ line }) => line), text, html, ...decoded]
    .flat()
    .join('\n')
    .replace(/=\r?\n/g, '')
    .replace(/=([0-9A-F]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
}
