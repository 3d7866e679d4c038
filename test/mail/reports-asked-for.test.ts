import { afterAll, describe, expect, it } from '@jest/globals';
import { createMailer } from '../../src/mail/mailer.ts';
import { mailFor, until, writeLetters } from '../support/advocate.ts';
import { sendLetter } from '../support/came-back.ts';
import { startInstance } from '../support/instance.ts';
import { startSmtp } from '../support/smtp.ts';

const message = Buffer.from('From: a@outspoken.example\r\nSubject: x\r\n\r\nHello\r\n');
const envelope = {
  from: 'b.1@outspoken.example',
  to: 'human+rights=desk@hm.example',
};
const id = '0123456789abcdef0123';

const closing: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const close of closing.reverse()) await close();
});

async function handedOver(extensions: string[], about: { id?: string }): Promise<string[]> {
  const smtp = await startSmtp({ extensions });
  const mailer = createMailer({ url: smtp.url });
  closing.push(smtp.close, mailer.close);
  expect((await mailer.send({ ...envelope, ...about }, message)).kind).toBe('accepted');
  return smtp.accepted[0]?.commands ?? [];
}

describe('reports on what becomes of a message', () => {
  it('are asked for where the server offers them: of success, failure and delay, without the text', async () => {
    expect(await handedOver(['DSN'], { id })).toEqual([
      'MAIL FROM:<b.1@outspoken.example> RET=HDRS ENVID=0123456789abcdef0123',
      'RCPT TO:<human+rights=desk@hm.example> NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;human+2Brights+3Ddesk@hm.example',
    ]);
  });

  it('are not asked for where the server offers none', async () => {
    expect(await handedOver([], { id })).toEqual([
      'MAIL FROM:<b.1@outspoken.example>',
      'RCPT TO:<human+rights=desk@hm.example>',
    ]);
  });

  it('are not asked for on what names no id', async () => {
    expect(await handedOver(['DSN'], {})).toEqual([
      'MAIL FROM:<b.1@outspoken.example>',
      'RCPT TO:<human+rights=desk@hm.example>',
    ]);
  });

  it('are asked for on letters, under their handle, and not on notices to people who write', async () => {
    const smtp = await startSmtp({ extensions: ['DSN'] });
    const instance = await startInstance({ smtpUrl: smtp.url });
    closing.push(smtp.close, instance.close);
    const letter = await sendLetter(instance);
    await writeLetters(instance.visitor(), { email: 'advocate@mail.example' });
    await until(async () => (await mailFor(smtp, 'advocate@mail.example')).length > 0, 'a notice');
    const [sent, notice] = smtp.accepted;
    expect(sent?.commands[0]).toContain(` ENVID=${letter.handle}`);
    expect(sent?.commands[1]).toMatch(/ NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;human-rights@hm\.example$/);
    expect(notice?.commands.join(' ')).not.toMatch(/NOTIFY|ENVID/);
  });
});
