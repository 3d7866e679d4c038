import { describe, expect, it } from '@jest/globals';
import { liftHold, startHold } from '../../src/hold/hold.ts';
import { caps } from '../../src/replies/reply.ts';
import { timelineOn, until } from '../support/advocate.ts';
import { anyLetter, fixture, sendLetter } from '../support/came-back.ts';
import { prepareDelivery } from '../support/delivery.ts';
import { gate, letOthersPass } from '../support/letters.ts';
import { bring } from '../support/mail-client.ts';
import { correspond, repliesOn } from '../support/replies.ts';
import { wordsOf } from '../support/visitor.ts';

const { smtp, instance } = prepareDelivery({ roles: ['web', 'worker', 'inbound'], shared: true });

describe('what a brand answers', () => {
  it('is on the receipt once it was taken, and goes on to the advocate’s mailbox', async () => {
    const one = await correspond(instance, smtp);
    const answers = await one.brandWrites({ text: 'We take this up with the ministry.' });
    expect(answers.at(-1)).toMatch(/^250 /);
    expect(repliesOn(await one.page())[0]).toMatchObject({ kind: 'brand' });
    const [reply] = await one.replies('accepted');
    expect(reply?.words).toContain('A reply from H&M');
    expect(reply?.words).toContain('We take this up with the ministry.');
    expect(reply?.words).toContain('Human Rights Desk <human-rights@hm.example>');
    expect(reply?.words).toContain('Sent on to your mailbox');
    expect(timelineOn(await one.page(), 'hm').at(-1)?.type).toBe('replied');
    const [forward] = await one.forwards(1);
    expect(forward?.mail.text).toContain('We take this up with the ministry.');
    expect(forward?.mail.text).toContain(
      'It says that it is from: Human Rights Desk <human-rights@hm.example>',
    );
    expect(forward?.mail.text).toContain('Whatever you write in an answer reaches the brand');
  });

  it('goes on as a mail of ours, whose every address is ours, and which no machine answers', async () => {
    const one = await correspond(instance, smtp);
    await one.brandWrites({ headers: ['X-Mailer: Secretive 7', 'Reply-To: trap@elsewhere.example'] });
    const [forward] = await one.forwards(1);
    const { mail, raw, from } = forward ?? { mail: undefined, raw: '', from: '' };
    expect(from).toMatch(/^f\.[0-9a-f]{20}\.[0-9a-z]+\.[0-9a-f]{20}@outspoken\.example$/);
    expect(mail?.from?.value[0]).toMatchObject({
      name: 'H&M, through Outspoken',
      address: expect.stringMatching(/^a\.[0-9a-f]{20}\.[0-9a-f]{20}@outspoken\.example$/),
    });
    expect(mail?.replyTo?.text).toBe(mail?.from?.value[0]?.address);
    expect(mail?.headers.get('auto-submitted')).toBe('auto-generated');
    expect(mail?.headers.get('x-outspoken-hop')).toBe('1');
    expect(mail?.headers.get('x-loop')).toBe('outspoken.example');
    // and nothing that keeps a server from saying that it could not deliver
    expect(mail?.headers.get('x-auto-response-suppress')).toBe('RN, NRN, OOF, AutoReply');
    const head = raw.split('\r\n\r\n')[0] ?? '';
    expect(head).not.toMatch(/hm\.example|Secretive|elsewhere|brand\.example/);
    expect(head).not.toContain(one.handle); // whoever sees this mail cannot write in the brand's place
  });

  it('opens no private page but the reader’s own, and by the link that they had already', async () => {
    const one = await correspond(instance, smtp);
    await one.brandWrites();
    const link = /\/confirm\/[\w-]{43}/.exec((await one.forwards(1))[0]?.mail.text ?? '')?.[0] ?? '';
    expect((await instance.visitor().get(link)).location).toBe(one.receipt);
  });

  it('is one reply, however often and however it comes', async () => {
    const one = await correspond(instance, smtp);
    const mail = { text: 'Once.', id: 'once@brand.example' };
    await Promise.all([one.brandWrites(mail), one.brandWrites(mail), one.brandWrites(mail)]);
    await one.brandWrites({ ...mail, headers: ['Received: from another.example by way.example'] });
    await one.replies('accepted');
    await one.brandWrites({ text: 'Twice.' });
    await one.replies('accepted', 'accepted');
    expect(await one.forwards(2)).toHaveLength(2);
  });

  it('is text, whatever it was: of HTML only the words are kept', async () => {
    const one = await correspond(instance, smtp);
    await one.brandWrites({
      headers: ['MIME-Version: 1.0', 'Content-Type: text/html; charset=utf-8'],
      text: '<p>Dear <b>writer</b><script>alert(1)</script></p><img src="https://tracker.example/x.gif">&lt;i&gt;',
    });
    await one.replies('accepted');
    const { html } = await one.page();
    expect(html).toContain('Dear writer');
    expect(html).toContain('&lt;i&gt;');
    expect(html).not.toMatch(/<img|alert\(1\)|<b>writer/);
    const [forward] = await one.forwards(1);
    expect(forward?.mail.html).toBe(false);
    expect(forward?.mail.text).toContain('Dear writer');
  });

  it('loses what turns the direction of reading, and keeps the invisible spaces of Khmer', async () => {
    const one = await correspond(instance, smtp);
    await one.brandWrites({ text: 'ម្ជុល\u200bព្រុន \u202eevil <b>x</b>' });
    await one.replies('accepted');
    expect((await one.page()).html).toContain('ម្ជុល\u200bព្រុន evil &lt;b&gt;x&lt;/b&gt;');
    expect((await one.forwards(1))[0]?.mail.text).toContain('ម្ជុល\u200bព្រុន evil <b>x</b>');
  });

  it('shows that a letter arrived of which nobody knew', async () => {
    smtp.script((moment, { to: [to = ''] }) =>
      moment === 'dot' && to.includes('@puma.') ? { cut: 'rst' } : undefined,
    );
    const letter = await sendLetter(instance, 'puma', 'unknown');
    smtp.script(undefined);
    await letter.bring('reply', letter.replyTo);
    expect(await letter.state()).toBe('accepted');
    expect((await letter.timeline()).slice(-2).map(({ type }) => type)).toEqual(['accepted', 'replied']);
  });

  it('is cut where it is too long to keep, and says so', async () => {
    const one = await correspond(instance, smtp);
    await one.brandWrites({ text: `${'word '.repeat(30_000)}the end` });
    await one.replies('accepted');
    expect(wordsOf(await one.page())).toContain('It was longer; the rest was not kept.');
    expect((await one.forwards(1))[0]?.mail.text).toContain('The mail was longer');
  });

  it('is encrypted as it lies: no word of it and no address can be read in the database', async () => {
    const one = await correspond(instance, smtp);
    await one.brandWrites({ text: 'Flimquarton', subject: 'Vexolund' });
    await one.replies('accepted');
    const rows = await instance.query<{ all: string; content: Buffer }>(
      'select reply::text as all, content from reply',
    );
    expect(rows.length).toBeGreaterThan(5);
    for (const { all, content } of rows)
      expect(all + content.toString('latin1')).not.toMatch(/Flimquarton|Vexolund|human-rights|mail\.example/);
  });
});

describe('a mailbox that does not take what is passed on', () => {
  it('has it again later, and the receipt says how it stands', async () => {
    const one = await correspond(instance, smtp);
    smtp.script((moment, { to, count }) =>
      moment === 'rcpt' && to.includes(one.address) && count === 0 ? { reply: '450 4.2.0 later' } : undefined,
    );
    await one.brandWrites();
    await until(
      async () =>
        (await instance.query("select 1 from reply where state = 'waiting' and tries = 1")).length > 0,
      'a first try',
      60_000,
    );
    await one.replies('waiting');
    await instance.query("update reply set due_at = now() - interval '1 second' where state = 'waiting'");
    await one.replies('accepted');
    smtp.script(undefined);
    expect(await one.forwards(1)).toHaveLength(1);
  });

  it('and refuses it for good is told, without its words, which may name it', async () => {
    const one = await correspond(instance, smtp);
    smtp.script((moment, { to }) =>
      moment === 'rcpt' && to.includes(one.address)
        ? { reply: `550 5.1.1 <${one.address}> is not here` }
        : undefined,
    );
    await one.brandWrites();
    const [reply] = await one.replies('rejected');
    smtp.script(undefined);
    expect(reply?.words).toContain('Your mailbox’s server did not take it');
    expect((await one.page()).html).not.toContain(one.address);
  });

  it('and puts it off gets it for five days, and no more after that, as the receipt says', async () => {
    const one = await correspond(instance, smtp);
    smtp.script((moment, { to }) =>
      moment === 'rcpt' && to.includes(one.address) ? { reply: '450 4.2.0 later' } : undefined,
    );
    await one.brandWrites();
    const ours = 'letter_id = (select id from letter where message_id = $1)';
    const wasTried = (times: number) =>
      until(
        async () =>
          (
            await instance.query(
              `select 1 from reply where tries = $2 and state in ('waiting', 'abandoned') and ${ours}`,
              [one.messageId, times],
            )
          ).length > 0,
        `${times} tries`,
        60_000,
      );
    const comesDueAfter = (time: string) =>
      instance.query(
        `update reply set first_tried_at = now() - $2::text::interval, due_at = now() where ${ours}`,
        [one.messageId, time],
      );
    await wasTried(1);
    await comesDueAfter('4 days 23 hours');
    await wasTried(2);
    await one.replies('waiting');
    await comesDueAfter('5 days 1 minute');
    await wasTried(3);
    const [reply] = await one.replies('abandoned');
    expect(reply?.words).toContain('Could not be sent on to your mailbox');

    smtp.script(undefined);
    await comesDueAfter('6 days');
    await one.brandWrites({ text: 'And another thing.' });
    await one.replies('abandoned', 'accepted');
    expect(await one.forwards(1)).toHaveLength(1);
  });

  it('waits untried while no relay takes anything, and goes as soon as one does', async () => {
    const one = await correspond(instance, smtp);
    const { database } = instance.context;
    await startHold(database, 'asked'); // so that all are due at the same moment
    await Promise.all(Array.from({ length: caps.forwardsPerDay }, () => one.brandWrites()));
    let lulls = 0;
    let last = Number.POSITIVE_INFINITY;
    smtp.script((moment) => {
      if (moment !== 'connect') return moment === 'mail' ? { cut: 'rst' } : undefined;
      if (Date.now() - last > 500) lulls += 1;
      last = Date.now();
      return { cut: 'rst' };
    });
    await liftHold(database, 0);
    await until(async () => lulls > 0, 'a relay that is tried again', 60_000);
    smtp.script(undefined);
    await one.forwards(1);
  });

  it('and never says whether it took it gets it twice, and not for five days', async () => {
    const one = await correspond(instance, smtp);
    const handed = () => smtp.handedOver.filter(({ to }) => to.includes(one.address));
    const before = handed().length;
    smtp.script((moment, { to }) =>
      moment === 'dot' && to.includes(one.address) ? { cut: 'rst' } : undefined,
    );
    await one.brandWrites();
    await until(async () => handed().length === before + 1, 'a first try', 60_000);
    await one.replies('waiting');
    await instance.query("update reply set due_at = now() - interval '1 second' where state = 'waiting'");
    const [reply] = await one.replies('unknown');
    expect(reply?.words).toContain('we do not know whether it arrived');
    expect(handed()).toHaveLength(before + 2);
    smtp.script(undefined);
  });

  it('and refuses a first copy long after a second one was on its way has taken the second', async () => {
    const one = await correspond(instance, smtp);
    const held = [gate(), gate()] as const;
    const handed = () => smtp.handedOver.filter(({ to }) => to.includes(one.address));
    smtp.script((moment, { to }) => {
      if (moment !== 'dot' || !to.includes(one.address)) return undefined;
      return handed().length === 1
        ? { until: held[0].opened, reply: '550 5.7.1 too late' }
        : { until: held[1].opened };
    });
    await one.brandWrites();
    await until(async () => handed().length === 1, 'a first copy', 60_000);
    await instance.query(
      "update reply set state_at = state_at - interval '20 minutes' where state = 'sending'", // its sender is taken for dead
    );
    await until(
      async () => {
        await instance.query(
          "update reply set due_at = due_at - interval '1 minute' where state = 'waiting'",
        );
        return handed().length === 2;
      },
      'a second copy',
      60_000,
    );
    held[0].open();
    await letOthersPass(instance, ['nike']);
    held[1].open();
    await one.replies('accepted');
    smtp.script(undefined);
  });

  it('and gives it back before its own answer was written down has not taken it', async () => {
    const one = await correspond(instance, smtp);
    const held = gate();
    smtp.script((moment, { to }) =>
      moment === 'dot' && to.includes(one.address) ? { until: held.opened } : undefined,
    );
    await one.brandWrites();
    const handed = () => smtp.handedOver.find(({ to }) => to.includes(one.address));
    await until(async () => handed() !== undefined, 'what is passed on', 60_000);
    const to = handed()?.from ?? '';
    const raw = fixture('postfix-failed', { ...anyLetter, returnPath: to });
    expect((await bring(instance.inboundPort, { to, raw })).at(-1)).toMatch(/^250 /);
    await one.replies('bounced');
    held.open();
    await one.forwards(1);
    await letOthersPass(instance, ['nike']);
    await one.replies('bounced');
    smtp.script(undefined);
  });

  it('and gives it back later is told as well, and nothing more comes of it', async () => {
    const one = await correspond(instance, smtp);
    await one.brandWrites();
    const [forward] = await one.forwards(1);
    await one.replies('accepted');
    const raw = fixture('postfix-failed', { ...anyLetter, returnPath: forward?.from ?? '' });
    const answers = await bring(instance.inboundPort, { to: forward?.from ?? '', raw });
    expect(answers.at(-1)).toMatch(/^250 /);
    const [reply] = await one.replies('bounced');
    expect(reply?.words).toContain('Could not be delivered into your mailbox');
    expect(await instance.query("select 1 from pen where reason not in ('impossible')")).toEqual([]);
    const forged = (forward?.from ?? '').replace(/[0-9a-f]@/, (end) => (end === '0@' ? '1@' : '0@'));
    expect((await bring(instance.inboundPort, { to: forged, raw })).at(-1)).toMatch(/^550 /);
  });
});
