import { describe, expect, it } from '@jest/globals';
import { timelineOn, writeAndConfirm } from '../support/advocate.ts';
import { fixture } from '../support/came-back.ts';
import { prepareDelivery } from '../support/delivery.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { untilAllEnded } from '../support/letters.ts';
import { bring } from '../support/mail-client.ts';
import { type Correspondence, correspond, repliesOn } from '../support/replies.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

const { smtp, instance } = prepareDelivery({ roles: ['web', 'worker', 'inbound'], shared: true });

/** What comes after everything else: once this is passed on, whatever should not be would have been. */
async function lastWord(one: Correspondence, states: string[]): Promise<void> {
  await one.brandWrites({ text: 'the last word' });
  await one.replies(...states, 'accepted');
}

const withoutMarks = (raw: string) =>
  raw.replace(/^(X-Outspoken-Hop|X-Loop|Auto-Submitted|X-Auto-Response-Suppress):.*\r\n/gim, '');

describe('an automatic reply of a brand', () => {
  it.each(['exchange-vacation', 'ticket-opened'])(
    '%s is shown as what it is, and not passed on',
    async (name) => {
      const one = await correspond(instance, smtp);
      await one.brandWrites({ raw: fixture(name, one).toString() });
      await lastWord(one, ['kept']);
      expect(await one.forwards(1)).toHaveLength(1);
      const [reply, written] = repliesOn(await one.page());
      expect(reply).toMatchObject({ kind: 'automatic', link: '' });
      const form = (handle = '') => one.visitor.get(`${one.receipt}/replies/${handle}/answer`);
      expect((await form(written?.handle)).status).toBe(200);
      expect((await form(reply?.handle)).status).toBe(404); // nor is there a way around the link
      expect(reply?.words).toMatch(/An automatic reply .*(16 November|number 4711)/);
      expect(timelineOn(await one.page(), 'hm').map(({ type }) => type)).toContain('auto_replied');
    },
  );
});

describe('what we passed on', () => {
  it('is not passed on again when somebody sends it back to the letter’s address', async () => {
    const one = await correspond(instance, smtp);
    await one.brandWrites();
    const [forward] = await one.forwards(1);
    const raw = (forward?.raw ?? '').replace(/^Auto-Submitted:.*\r\n/im, '');
    expect((await one.brandWrites({ raw })).at(-1)).toMatch(/^250 /);
    await lastWord(one, ['accepted', 'kept']);
    expect(await one.forwards(2)).toHaveLength(2);
  });

  it('is known by its sender when the marks were taken off', async () => {
    const one = await correspond(instance, smtp);
    await one.brandWrites();
    const [forward] = await one.forwards(1);
    await one.brandWrites({ raw: withoutMarks(forward?.raw ?? '') });
    await lastWord(one, ['accepted', 'kept']);
    expect(await one.forwards(2)).toHaveLength(2);
  });

  it('makes nothing of a vacation note, at whichever of its addresses that arrives', async () => {
    const one = await correspond(instance, smtp);
    await one.brandWrites();
    const [forward] = await one.forwards(1);
    const before = smtp.accepted.length;
    for (const to of [forward?.mail.from?.value[0]?.address ?? '', forward?.from ?? '']) {
      const note = { headers: ['Auto-Submitted: auto-replied'], subject: 'Away', text: 'On the beach.' };
      expect((await one.advocateWrites(to, 'On the beach.', note)).at(-1)).toMatch(/^250 /);
    }
    await lastWord(one, ['accepted']);
    expect(smtp.accepted).toHaveLength(before + 1);
    expect(await instance.query("select 1 from pen where reason <> 'x'")).toEqual([]);
  });

  it('that somebody answers as a person at its Return-Path is refused, and no person of ours reads it', async () => {
    const one = await correspond(instance, smtp);
    await one.brandWrites();
    const [forward] = await one.forwards(1);
    expect((await one.advocateWrites(forward?.from ?? '', 'Hello?')).at(-1)).toMatch(/^550 .*Reply-To/);
    await lastWord(one, ['accepted']);
    expect(await instance.query('select 1 from pen')).toEqual([]);
  });

  it('that somebody answers with a mail which cannot be read is refused: its writer must know', async () => {
    const one = await correspond(instance, smtp);
    await one.brandWrites();
    const alias = (await one.forwards(1))[0]?.mail.from?.value[0]?.address ?? '';
    // deeper than any mail, which mailparser does not take apart
    const depth = Array.from({ length: 100 }, (_, n) => n);
    const raw = [
      `From: A Writer <${one.address}>`,
      ...depth.map((n) => `Content-Type: multipart/mixed; boundary=b${n}\r\n\r\n--b${n}`),
      'Content-Type: text/plain',
      '',
      'Hello',
    ].join('\r\n');
    expect((await one.advocateWrites(alias, '', { raw })).at(-1)).toMatch(/^550 /);
  });
});

describe('two Outspokens', () => {
  /** A letter there whose advocate's mailbox hands everything on to the letter here, and the other way round. */
  async function tied(change: (raw: string) => string): Promise<{ here: number; there: number }> {
    const [smtpHere, smtpThere] = [await startSmtp(), await startSmtp()];
    const start = (mailDomain: string, smtpUrl: string) =>
      startInstance({ roles: ['web', 'worker', 'inbound'], smtpUrl, settings: { mailDomain } });
    const here = await start('here.example', smtpHere.url);
    const there = await start('there.example', smtpThere.url);
    const letterOf = async (which: Instance, mailboxes: TestSmtp, email: string) => {
      await writeAndConfirm(mailboxes, which.visitor(), { email });
      await untilAllEnded(which);
      const [{ id } = { id: '' }] = await which.query<{ id: string }>('select message_id as id from letter');
      return `r.${id}`;
    };
    const aliasHere = await letterOf(here, smtpHere, 'one@mail.example');
    const aliasThere = await letterOf(there, smtpThere, 'other@mail.example');
    const forwards = (caught: TestSmtp) => caught.accepted.filter(({ from }) => from.startsWith('f.'));
    const waiting = async (which: Instance) =>
      (await which.query("select 1 from reply where state in ('waiting', 'sending')")).length;
    await bring(here.inboundPort, {
      to: aliasHere,
      from: 'somebody@brand.example',
      raw: 'Message-ID: <start@brand.example>\nFrom: somebody@brand.example\n\nHello\n',
    });
    let [seenHere, seenThere] = [0, 0];
    for (let quiet = 0; quiet < 20; ) {
      const [fromHere, fromThere] = [forwards(smtpHere), forwards(smtpThere)];
      for (const { raw } of fromHere.slice(seenHere))
        await bring(there.inboundPort, {
          to: aliasThere,
          from: 'a@mail.example',
          raw: change(raw.toString()),
        });
      for (const { raw } of fromThere.slice(seenThere))
        await bring(here.inboundPort, { to: aliasHere, from: 'b@mail.example', raw: change(raw.toString()) });
      const moved = fromHere.length > seenHere || fromThere.length > seenThere;
      [seenHere, seenThere] = [fromHere.length, fromThere.length];
      quiet = moved || (await waiting(here)) + (await waiting(there)) > 0 ? 0 : quiet + 1;
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    for (const part of [here, there, smtpHere, smtpThere]) await part.close();
    return { here: seenHere, there: seenThere };
  }

  it('that pass on to each other stop at the first mark', async () => {
    expect(await tied((raw) => raw)).toEqual({ here: 1, there: 0 });
  }, 120_000);

  it('stop at the cap when everything between them takes the marks off', async () => {
    const { here, there } = await tied(withoutMarks);
    expect(here).toBeLessThanOrEqual(5);
    expect(there).toBeLessThanOrEqual(5);
    expect(there).toBeGreaterThan(1); // the control: it did go round
  }, 120_000);
});
