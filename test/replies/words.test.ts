import { describe, expect, it } from '@jest/globals';
import { readReply } from '../../src/inbound/read-reply.ts';
import { attachmentLimits } from '../../src/replies/attachments.ts';

const html = 'Content-Type: text/html; charset=utf-8\r\n\r\n<p>We have <b>written</b> to the ministry.</p>';
const text = (words: string) => `Content-Type: text/plain; charset=utf-8\r\n\r\n${words}`;
const pdf = 'Content-Type: application/pdf; name=s.pdf\r\nContent-Disposition: attachment\r\n\r\n%PDF';
const logo =
  'Content-Type: image/png; name=logo.png\r\nContent-ID: <logo>\r\nContent-Disposition: inline\r\n\r\nPNG';
const inside = (type: string, boundary: string, parts: string[]) =>
  `Content-Type: multipart/${type}; boundary=${boundary}\r\n\r\n${parts.map((part) => `--${boundary}\r\n${part}\r\n`).join('')}--${boundary}--`;
const picture = (letters: number) => `<img alt="" src="data:image/png;base64,${'A'.repeat(letters)}">`;

async function read(part: string) {
  const raw = `From: a@brand.example\r\nMIME-Version: 1.0\r\n${part}\r\n`;
  const { content } = (await readReply(Buffer.from(raw))) ?? {};
  return {
    text: content?.text,
    cut: content?.cut,
    attached: content?.attachments.map(({ name }) => name).join(),
  };
}

describe('the words of a mail that has them in HTML only', () => {
  it.each([
    ['alone', html, ''],
    ['with a file', inside('mixed', 'm', [html, pdf]), 's.pdf'],
    ['with a picture in it', inside('related', 'r', [html, logo]), ''],
    ['with both', inside('mixed', 'm', [inside('related', 'r', [html, logo]), pdf]), 's.pdf'],
    ['with an empty text', inside('alternative', 'a', [text(' \r\n'), html]), ''],
    [
      'with a date',
      inside('alternative', 'a', [html, 'Content-Type: text/calendar\r\n\r\nBEGIN:VCALENDAR']),
      '—',
    ],
    [
      'with a signature',
      inside('signed', 's', [html, 'Content-Type: application/pkcs7-signature; name=smime.p7s\r\n\r\nx']),
      'smime.p7s',
    ],
    ['with a picture that is written out', html + picture(100_000), ''],
    ['with one that is longer than any text', html + picture(4_500_000), ''],
    ['with a tracking picture', `${html}<img src="https://tracker.example/1.gif">`, undefined],
  ])('are kept: %s', async (_what, part, attached) => {
    const found = await read(part);
    expect(found.text).toMatch(/^We have written to the ministry\./);
    expect(found.text).not.toMatch(/AAAA|data:|cid:/);
    expect(found.cut).toBe(false);
    if (attached !== undefined) expect(found.attached).toBe(attached);
  });

  it('are kept beside those that are plain', async () => {
    const both = await read(inside('mixed', 'm', [html + picture(1_500_000), text('Sent through a list.')]));
    expect(both.text).toContain('We have written to the ministry.');
    expect(both.text).toContain('Sent through a list.');
    // what is the same in two forms is kept once
    const twice = await read(inside('alternative', 'a', [text('We have written.'), html]));
    expect(twice.text).toBe('We have written.');
  });

  it('are as they were written where they are plain', async () => {
    const words = 'Put <img src="https://brand.example/a.png"> there, and read data:text.';
    expect((await read(text(words))).text).toBe(words);
  });

  it('are missed in so many words where they are too many to be read', async () => {
    expect(await read(`Content-Type: text/html\r\n\r\n${'<p>word</p>'.repeat(100_000)}`)).toMatchObject({
      text: '',
      cut: true,
    });
  });
});

describe('what is attached', () => {
  it('and not listed is told of', async () => {
    const files = (count: number) => inside('mixed', 'm', [text('See.'), ...Array(count).fill(pdf)]);
    expect((await read(files(attachmentLimits.listed))).cut).toBe(false);
    const { cut, attached } = await read(files(attachmentLimits.listed + 1));
    expect(cut).toBe(true);
    expect(attached?.split(',')).toHaveLength(attachmentLimits.listed);
  });
});

describe('what is attached among the pictures of HTML', () => {
  it.each([
    ['a file', pdf.replace('\r\n', '\r\nContent-ID: <f_1>\r\n'), 's.pdf'],
    ['a picture that is to be saved', logo.replace('inline', 'attachment'), 'logo.png'],
  ])('is listed: %s', async (_what, part, attached) => {
    expect(await read(inside('related', 'r', [html, part]))).toMatchObject({ attached });
  });

  it('is listed when there are no words: then the picture is the answer', async () => {
    const scan = inside('related', 'r', ['Content-Type: text/html\r\n\r\n<img src="cid:logo">', logo]);
    expect(await read(scan)).toMatchObject({ text: '', attached: 'logo.png' });
  });
});
