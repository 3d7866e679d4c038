import { describe, expect, it } from '@jest/globals';
import { classify } from '../../src/inbound/classify.ts';
import { digestOf, readMail } from '../../src/inbound/read-mail.ts';
import { readReply } from '../../src/inbound/read-reply.ts';
import { openReaders } from '../../src/inbound/readers.ts';
import { createLog } from '../../src/log.ts';
import { fixture } from '../support/came-back.ts';
import { childrenRunning, mostMemoryOf } from '../support/children.ts';

const megabytes = (piece: string, size = 4.5) => piece.repeat((size * 1024 * 1024) / piece.length);
const plain = (text: string, header = '') => `From: a@brand.example\r\n${header}\r\n${text}`;
const exim = (reason: string) =>
  plain(
    `This message was created automatically by mail delivery software.\r\nA message could not be delivered to one or more of its recipients.\r\nThe following address(es) failed:\r\n${reason}\r\n---- copy`,
    'X-Failed-Recipients: a@brand.example\r\n',
  );
const report = (line: string) =>
  fixture('postfix-failed')
    .toString('latin1')
    .replace(/^Diagnostic-Code: .*\r\n(?: .*\r\n)*/m, `${line}\r\n`);

describe('a mail that is made to keep us busy', () => {
  // each of these once took the square of its length, which is hours: it must end at all
  it.each([
    ['words without end in a report', report(`Diagnostic-Code: smtp; 550 5.1.1 ${megabytes('a')}`)],
    ['a gap without end in a report', report(`Diagnostic-Code: smtp; 550 5.1.1 a${megabytes(' ')}b`)],
    ['a host’s name without end', report(`Remote-MTA: dns; mx.brand.example${megabytes(' ')}x`)],
    ['an id without end', report(`Original-Envelope-Id: ${megabytes('+41')}`)],
    ['fields without end in a report', report(megabytes('a:\r\n').trimEnd())],
    ['fields without end in its header', plain('Hello', megabytes('a:\r\n', 0.11))],
    ['a header without end', plain('Hello', megabytes('a: b\r\n'))],
    ['numbers without end in another server’s bounce', exim(megabytes(':550 '))],
    ['words without end in another server’s bounce', exim(megabytes('a'))],
    [
      'parts without end',
      plain(megabytes('--b\r\n\r\nx\r\n'), 'Content-Type: multipart/mixed; boundary=b\r\n'),
    ],
    ['tags without end', plain(megabytes('<table><tr><td>'), 'Content-Type: text/html\r\n')],
    ['an address without end', plain('Hello', `To: ${megabytes('a:b;', 0.11)}\r\n`)],
  ])('is read all the same: %s', async (_what, text) => {
    const raw = Buffer.from(text, 'latin1');
    expect(raw.length).toBeGreaterThan(100_000);
    expect(digestOf(raw)).toHaveLength(32);
    const mail = await readMail(raw);
    if (mail) expect(classify(mail, { nullSender: true }).kind).toMatch(/^(report|unclear)$/);
    await readReply(raw);
  });

  it('takes the memory of one, however many come at once: they are read one after the other', async () => {
    const readers = openReaders(createLog('silent'), { processes: 1, longest: 600_000, memory: 512 });
    const raw = Buffer.from(`From: a@brand.example\r\n\r\n${'\r\n'.repeat(2_300_000)}`);
    const asked = { nullSender: false, wantsWords: true };
    const all = await Promise.all(Array.from({ length: 4 }, () => readers.read(raw, asked)));
    const memory = childrenRunning('reading-process').map(mostMemoryOf);
    await readers.close();
    expect(all.map((reading) => reading?.verdict.kind)).toEqual(Array(4).fill('reply'));
    expect(memory).toEqual([expect.any(Number)]);
    expect(memory[0]).toBeLessThan(600);
  });
});

describe('two copies of one mail', () => {
  const copy = (text: string) => digestOf(Buffer.from(text, 'latin1')).toString('hex');
  const one = copy('Message-ID: <1@brand.example>\r\n\r\nHello\r\n\r\nyou');

  it('are one, whatever way each took: its trace lines, its line breaks, its end', () => {
    for (const other of [
      'Received: from x\r\nMessage-ID: <1@brand.example>\r\n\r\nHello\r\n\r\nyou',
      'Message-ID: <1@brand.example>\n\nHello\n\nyou\n',
      'Message-ID: <1@brand.example>\r\n\r\nHello\r\ryou \r\n\r\n',
    ])
      expect(copy(other)).toBe(one);
  });

  it('are two when a word or the Message-ID differs', () => {
    for (const other of [
      'Message-ID: <1@brand.example>\r\n\r\nHello\r\n\r\nyOu',
      'Message-ID: <2@brand.example>\r\n\r\nHello\r\n\r\nyou',
      'Message-ID: <1@brand.example>\r\n\r\nHello\r\nyou',
    ])
      expect(copy(other)).not.toBe(one);
  });
});
