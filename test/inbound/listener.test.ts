import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fixture, sendLetter } from '../support/came-back.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { bring } from '../support/mail-client.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';
import { wordsOf } from '../support/visitor.ts';

let smtp: TestSmtp;
let instance: Instance;
beforeAll(async () => {
  smtp = await startSmtp();
  instance = await startInstance({ roles: ['web', 'worker', 'inbound'], smtpUrl: smtp.url });
});
afterAll(async () => {
  await instance.close();
  await smtp.close();
});

describe('a letter that comes back', () => {
  it('is shown as come back, with the words of the server that refused it', async () => {
    const letter = await sendLetter(instance, smtp);
    await letter.becomes('accepted');
    const answers = await bring(instance.inboundPort, {
      to: letter.returnPath,
      raw: fixture('postfix-failed', letter),
    });
    expect(answers.at(-1)).toMatch(/^250 /);
    expect(await letter.state()).toBe('bounced');
    expect((await letter.timeline()).at(-1)).toEqual({
      type: 'bounced',
      code: '550',
      host: 'mailbox.brand.example',
      response: '550 5.1.1 <…>: Recipient address rejected: User unknown in virtual mailbox table',
    });
    expect(wordsOf(await letter.page())).toMatch(
      /Came back on .* mailbox\.brand\.example could not deliver it/,
    );
  });
});
