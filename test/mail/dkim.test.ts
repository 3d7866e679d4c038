import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { createSigner, prepareSignature, relaxBody, relaxField } from '../../src/mail/dkim.ts';
import { createMailer } from '../../src/mail/mailer.ts';
import { encodeMessage, type Message } from '../../src/mail/message.ts';
import { writeAndConfirm } from '../support/advocate.ts';
import { recordOf, verify } from '../support/dkim.ts';
import { startInstance } from '../support/instance.ts';
import { lettersAmong, untilStates } from '../support/letters.ts';
import { describeWith } from '../support/needs.ts';
import { startSmtp } from '../support/smtp.ts';

const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const published = { name: 'letters2026._domainkey.outspoken.example', record: recordOf(key) };
const sign = createSigner(key, 'letters2026');
const letter: Message = {
  from: { name: 'A garment worker via Outspoken', address: 'letters@outspoken.example' },
  to: { name: 'H&M', address: 'human-rights@hm.example' },
  replyTo: 'r.0123456789abcdef0123@outspoken.example',
  subject: 'Please speak out',
  text: 'Hello\n',
  language: 'en',
  messageId: '0123456789abcdef0123@outspoken.example',
  date: new Date('2026-07-12T08:09:10Z'),
};

describeWith('dkimverify', 'a signature, in the eyes of a verifier that is not ours', (dkimverify) => {
  const holds = (messages: Buffer[]) => verify(dkimverify, published, messages);

  it('is good on everything that goes out: the notice and the letters', async () => {
    const smtp = await startSmtp();
    const folder = await mkdtemp(join(tmpdir(), 'outspoken-dkim-'));
    const keyFile = join(folder, 'dkim.pem');
    await writeFile(keyFile, key.export({ type: 'pkcs8', format: 'pem' }));
    const instance = await startInstance({
      smtpUrl: smtp.url,
      settings: { dkim: { keyFile, selector: 'letters2026' } },
    });
    await writeAndConfirm(smtp, instance.visitor(), { brand: ['hm', 'nike'] });
    await untilStates(instance, { accepted: 2 });
    await instance.close();
    await smtp.close();
    await rm(folder, { recursive: true });

    expect(lettersAmong(smtp.accepted)).toHaveLength(2);
    expect(smtp.accepted).toHaveLength(3);
    expect(await holds(smtp.accepted.map(({ raw }) => raw))).toEqual([true, true, true]);
  });

  it('holds for any words, in any script, and over the wire', async () => {
    const words = fc.string({ unit: 'grapheme', maxLength: 200 });
    const pieces = fc.array(
      fc.oneof(words, fc.constantFrom('\n', '\r\n', '\n.\n', '  \n', '\t', '=', 'From ', '\n\n\n')),
    );
    const texts = fc.sample(
      pieces.map((parts) => parts.join('')).filter((text) => text.isWellFormed()),
      100,
    );
    const smtp = await startSmtp();
    const mailer = createMailer({ url: smtp.url, sign });
    for (const text of texts) {
      const subject = `“${text
        .replace(/[\p{Cc}\u2028\u2029]/gu, ' ')
        .slice(0, 120)
        .toWellFormed()}”`;
      const outcome = await mailer.send(
        { from: 'b.1@outspoken.example', to: letter.to.address },
        encodeMessage({ ...letter, text, subject }),
      );
      expect(outcome.kind).toBe('accepted');
    }
    await mailer.close();
    await smtp.close();
    expect(await holds(smtp.accepted.map(({ raw }) => raw))).toEqual(texts.map(() => true));
  });

  it('holds for messages that others composed, with blanks and breaks where they may be', async () => {
    const head = 'from:  <a@outspoken.example>\r\nSUBJECT:\tx \t y\r\n\t z \r\n';
    const bodies = [
      '',
      '\r\n',
      '\r\n\r\n',
      'x',
      'x\r\n',
      ' x \t y \r\n\r\n \t\r\n',
      '\r\n\r\nx\r\n\r\n',
      'x\n y\n\n',
    ];
    const signed = await Promise.all(bodies.map((body) => sign(Buffer.from(`${head}\r\n${body}`))));
    expect(await holds(signed)).toEqual(bodies.map(() => true));
  });

  it('breaks when anything that a reader sees is changed', async () => {
    const signed = (await sign(encodeMessage(letter))).toString('latin1');
    const changed = {
      nothing: signed,
      'a word': signed.replace('Hello', 'Hallo'),
      'the sender': signed.replace('letters@', 'lotters@'),
      'a second sender': signed.replace('\r\nFrom: ', '\r\nFrom: <x@evil.example>\r\nFrom: '),
      'the receiver': signed.replace('human-rights@', 'press@'),
      'the subject': signed.replace('Please', 'Do not'),
      'the day': signed.replace('12 Jul', '13 Jul'),
      'a second subject': signed.replace('\r\nSubject: ', '\r\nSubject: No\r\nSubject: '),
      'a second place for answers': signed.replace('\r\nFrom: ', '\r\nReply-To: <x@evil.example>\r\nFrom: '),
      'where answers go': signed.replace('Reply-To: r.', 'Reply-To: x.'),
      'its number': signed.replace('Message-ID: <0', 'Message-ID: <1'),
      'how it is to be read': signed.replace('text/plain', 'text/html'),
      'more words': `${signed}PS\r\n`,
    };
    expect(new Set(Object.values(changed)).size).toBe(13);
    expect(await holds(Object.values(changed).map((text) => Buffer.from(text, 'latin1')))).toEqual([
      true,
      ...Array.from({ length: 12 }, () => false),
    ]);
  });
});

describe('a signature', () => {
  const tags = (message: Message) => {
    const { unsigned } = prepareSignature(encodeMessage(message).toString('latin1'), 's', new Date(0));
    return Object.fromEntries(
      unsigned
        .replace(/^DKIM-Signature: /, '')
        .replace(/\r\n\s+/g, ' ')
        .split(';')
        .map((tag) => tag.trim().split(/=(.*)/s).slice(0, 2)),
    );
  };

  it('names what it covers, each once more than it is there', () => {
    const all =
      'from:to:subject:date:message-id:reply-to:mime-version:content-type:content-transfer-encoding';
    const { h, ...others } = tags(letter);
    expect(h.replace(/\s/g, '')).toBe(`${all}:${all}`);
    expect(others).toMatchObject({ v: '1', a: 'rsa-sha256', c: 'relaxed/relaxed', s: 's', t: '0', b: '' });
    const withoutIt = tags({ ...letter, replyTo: undefined }).h.replace(/\s/g, '');
    expect(withoutIt).toBe(`${all}:${all.replace('reply-to:', '')}`);
  });

  it('is that of the domain in From, which differs from campaign to campaign', () => {
    expect(tags(letter).d).toBe('outspoken.example');
    const from = { name: 'x', address: 'letters@campaign.example' };
    expect(tags({ ...letter, from }).d).toBe('campaign.example');
  });

  it('has short lines, and leaves the message as it was', async () => {
    const message = encodeMessage(letter);
    const signed = await sign(message);
    expect(signed.subarray(signed.length - message.length)).toEqual(message);
    for (const line of signed.toString('latin1').split('\r\n')) expect(line.length).toBeLessThanOrEqual(78);
  });

  it('is made beside the event loop, which goes on meanwhile', async () => {
    let turns = 0;
    const turn = setInterval(() => {
      turns += 1;
    }, 0);
    await Promise.all(Array.from({ length: 200 }, () => sign(encodeMessage(letter))));
    clearInterval(turn);
    expect(turns).toBeGreaterThan(0);
  });

  it('is made from the relaxed form, as the standard shows it', () => {
    // RFC 6376 section 3.4.5
    expect([relaxField('A: X'), relaxField('B : Y\t\r\n\tZ  ')]).toEqual([
      ['a', 'X'],
      ['b', 'Y Z'],
    ]);
    expect(relaxBody(' C \r\nD \t E\r\n\r\n\r\n')).toBe(' C\r\nD E\r\n');
    expect(relaxBody('')).toBe('');
  });

  it('that cannot be made stops the message: nothing goes out unsigned', async () => {
    const smtp = await startSmtp();
    const mailer = createMailer({ url: smtp.url, sign });
    const envelope = { from: 'b.1@outspoken.example', to: letter.to.address };
    expect(await mailer.send(envelope, Buffer.from('Subject: from nobody\r\n\r\nx\r\n'))).toMatchObject({
      kind: 'try again',
      response: 'not sent: this system could not sign it',
    });
    expect(smtp.connections).toBe(0);
    await mailer.close();
    await smtp.close();
  });
});
