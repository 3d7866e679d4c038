import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { attachmentLimits, sortAttachments } from '../../src/replies/attachments.ts';
import { mailFor } from '../support/advocate.ts';
import { prepareDelivery } from '../support/delivery.ts';
import { startInstance } from '../support/instance.ts';
import { correspond } from '../support/replies.ts';
import { wordsOf } from '../support/visitor.ts';

const { smtp, instance } = prepareDelivery({ roles: ['web', 'worker', 'inbound'], shared: true });

const headers = ['MIME-Version: 1.0', 'Content-Type: multipart/mixed; boundary="b"'];
const part = (name: string, type: string, bytes: Buffer) =>
  [
    '--b',
    `Content-Type: ${type}`,
    `Content-Disposition: attachment; filename="${name}"`,
    'Content-Transfer-Encoding: base64',
    '',
    bytes.toString('base64').replace(/.{76}/g, '$&\r\n'),
  ].join('\r\n');
const mailWith = (parts: string[]) => ({
  headers,
  text: ['--b', 'Content-Type: text/plain', '', 'See what is attached.', ...parts, '--b--'].join('\r\n'),
});
const pdf = Buffer.from([0x25, 0x50, 0x44, 0x46, 0, 0xff, 0x0d, 0x0a, 0x2e, 0x0d, 0x0a]);

describe('what is attached to an answer', () => {
  it('goes on as it came, byte by byte, is listed on the receipt, and is then kept no longer', async () => {
    const one = await correspond(instance, smtp);
    await one.brandWrites(mailWith([part('Our answer.pdf', 'application/pdf', pdf)]));
    const [reply] = await one.replies('accepted');
    expect(reply?.words).toContain('Our answer.pdf 1 kB · sent on to your mailbox, unopened');
    const [forward] = await one.forwards(1);
    expect(forward?.mail.text).toContain('See what is attached.');
    expect(forward?.mail.text).toContain('Our answer.pdf (1 kB)');
    expect(forward?.mail.attachments).toHaveLength(1);
    const [attached] = forward?.mail.attachments ?? [];
    expect(attached).toMatchObject({
      filename: 'Our answer.pdf',
      contentType: 'application/pdf',
      contentDisposition: 'attachment',
    });
    expect(attached?.content.equals(pdf)).toBe(true);
    expect(await instance.query('select 1 from reply where cargo is not null')).toEqual([]);
    const { html } = await one.page();
    // without its address, which is chance and may hold any three letters
    expect(html).toContain(`href="${one.receipt}`);
    expect(html.replaceAll(one.receipt, '')).not.toMatch(/href="[^"]*(pdf|attach)/);
  });

  it('does not hide what a mail says that is written in HTML only', async () => {
    const one = await correspond(instance, smtp);
    const { text } = mailWith([part('Our answer.pdf', 'application/pdf', pdf)]);
    await one.brandWrites({
      headers,
      text: text.replace('plain\r\n\r\nSee', 'html\r\n\r\n<p>See'),
    });
    const [reply] = await one.replies('accepted');
    expect(reply?.words).toContain('See what is attached.');
    const [forward] = await one.forwards(1);
    expect(forward?.mail.text).toContain('See what is attached.');
    expect(forward?.mail.attachments).toHaveLength(1);
  });

  it('stays behind when a program could run it or it could tell who opened it, and is listed', async () => {
    const one = await correspond(instance, smtp);
    const names =
      'page.html letter.docx picture.svg run.exe notes.pdf.js none mail.eml any.constructor'.split(' ');
    await one.brandWrites(mailWith(names.map((name) => part(name, 'application/pdf', pdf))));
    const [reply] = await one.replies('accepted');
    for (const name of names) expect(reply?.words).toContain(`${name} 1 kB · not sent on`);
    const [forward] = await one.forwards(1);
    expect(forward?.mail.attachments).toEqual([]);
    expect(forward?.mail.text).toContain('Not passed on');
    for (const name of names) expect(forward?.mail.text).toContain(`${name} (1 kB)`);
  });

  it('stays behind when it is too large, and the rest goes on', async () => {
    const one = await correspond(instance, smtp);
    const large = Buffer.alloc(attachmentLimits.each + 1, 'x');
    await one.brandWrites(
      mailWith([part('large.pdf', 'application/pdf', large), part('small.png', 'image/png', pdf)]),
    );
    await one.replies('accepted');
    const [forward] = await one.forwards(1);
    expect(forward?.mail.attachments.map(({ filename }) => filename)).toEqual(['small.png']);
    expect(wordsOf(await one.page())).toContain('large.pdf 3.1 MB · not sent on');
  });

  it('has a name that leads nowhere and a type that its name has', async () => {
    const one = await correspond(instance, smtp);
    await one.brandWrites(
      mailWith([
        part('../../etc/pass\u202ewd.txt', 'text/html; charset=x', pdf),
        part('រូបភាព.jpeg', 'image/gif', pdf),
      ]),
    );
    await one.replies('accepted');
    const attachments = (await one.forwards(1))[0]?.mail.attachments ?? [];
    expect(attachments.map(({ filename, contentType }) => [filename, contentType])).toEqual([
      ['passwd.txt', 'text/plain'],
      ['រូបភាព.jpeg', 'image/jpeg'],
    ]);
  });

  it('waits encrypted with the answer while a mailbox is away, and not with one that is only shown', async () => {
    const one = await correspond(instance, smtp);
    smtp.script((moment, { to }) =>
      moment === 'rcpt' && to.includes(one.address) ? { reply: '450 4.2.0 later' } : undefined,
    );
    await one.brandWrites(mailWith([part('secret.txt', 'text/plain', Buffer.from('Flimquarton'.repeat(9)))]));
    await one.brandWrites({
      ...mailWith([part('more.txt', 'text/plain', Buffer.from('x'))]),
      headers: [...headers, 'Auto-Submitted: auto-replied'],
    });
    const rows = await instance.query<{ cargo: Buffer; state: string }>(
      'select cargo, state from reply where cargo is not null',
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]?.cargo.toString('latin1')).not.toContain('Flimquarton');
    expect(wordsOf(await one.page())).toContain('more.txt 1 kB · not sent on');
    smtp.script(undefined);
  });
});

describe('where the mail catcher takes all mail', () => {
  it('it takes as much as is passed on at all', async () => {
    const trial = await startInstance({ roles: ['web', 'worker', 'inbound'] });
    try {
      const one = await correspond(trial, smtp);
      const each = Buffer.alloc(attachmentLimits.total / 2, 'x');
      await one.brandWrites(
        mailWith(['one.pdf', 'two.pdf'].map((name) => part(name, 'application/pdf', each))),
      );
      await one.replies('accepted');
      const forward = (await mailFor(trial, one.address)).at(-1);
      expect(forward?.attachments.map(({ size }) => size)).toEqual([each.length, each.length]);
    } finally {
      await trial.close();
    }
  });
});

describe('the sorting of attachments', () => {
  const attached = fc.record({
    name: fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string().map((stem) => `${stem}.pdf`),
      fc.string({ unit: 'grapheme', size: 'large' }).map((stem) => `${stem}.PNG`),
    ),
    bytes: fc.nat(attachmentLimits.each + 100_000).map((size) => ({ length: size }) as Buffer),
  });

  it('lists what is there, and passes on no more than it may, under names and types of ours', () => {
    fc.assert(
      fc.property(fc.array(attached, { maxLength: 50 }), (all) => {
        const { listed, cargo } = sortAttachments(all);
        expect(listed).toHaveLength(Math.min(all.length, attachmentLimits.listed));
        expect(listed.filter(({ passed }) => passed)).toHaveLength(cargo.length);
        expect(cargo.length).toBeLessThanOrEqual(attachmentLimits.count);
        const total = cargo.reduce((sum, { bytes }) => sum + bytes.length, 0);
        expect(total).toBeLessThanOrEqual(attachmentLimits.total);
        for (const { name, type } of cargo) {
          expect(name).toMatch(/\.(pdf|txt|jpe?g|png)$/i);
          expect(type).toMatch(/^(application\/pdf|text\/plain|image\/(jpeg|png))$/);
        }
        for (const { name } of listed) {
          expect(name).not.toMatch(/[/\\<>:"|?*\x00-\x1f\x7f\u202a-\u202e]/);
          expect(name).not.toBe('');
          expect([...name].length).toBeLessThan(70); // it stands in a mail and on a page
          expect(name.isWellFormed()).toBe(true);
        }
      }),
    );
  });
});
