import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { fixture } from '../support/came-back.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { bring, connectTo } from '../support/mail-client.ts';
import { correspond, mailOf } from '../support/replies.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

/** ខ្មែរ.example, as it stands in DNS. */
const mailDomain = 'xn--j2e0cg3n2c.example';

let smtp: TestSmtp;
let instance: Instance;
beforeAll(async () => {
  smtp = await startSmtp();
  instance = await startInstance({
    roles: ['web', 'worker', 'inbound'],
    smtpUrl: smtp.url,
    settings: { mailDomain },
  });
});
afterAll(async () => {
  await instance.close();
  await smtp.close();
});

describe('a mail domain that is not written in Latin letters', () => {
  it('gets reports and answers, however a mail server writes it', async () => {
    const one = await correspond(instance, smtp);
    expect(one.returnPath).toContain(`@${mailDomain}`);
    const report = await bring(instance.inboundPort, {
      to: one.returnPath,
      raw: fixture('postfix-relayed', one),
    });
    expect(report.at(-1)).toMatch(/^250 2\.6\.0 /);
    expect((await one.brandWrites({ text: 'We take this up.' })).at(-1)).toMatch(/^250 2\.6\.0 /);
    await one.replies('accepted');
    const to = one.replyTo.replace(mailDomain, 'ខ្មែរ.example');
    const again = await bring(instance.inboundPort, { to, from: 'a@brand.example', raw: mailOf({}, to) });
    expect(again.at(-1)).toMatch(/^250 2\.6\.0 /);
    await one.replies('accepted', 'accepted');
  });

  it('gets answers whose sender and header are written like that, too (RFC 6531, RFC 6532)', async () => {
    const one = await correspond(instance, smtp);
    const [from, to] = ['ផ្នែកសិទ្ធិ@bücher.example', one.replyTo.replace(mailDomain, 'ខ្មែរ.example')];
    const client = connectTo(instance.inboundPort);
    await client.hear();
    expect(await client.say('EHLO mx.brand.example')).toMatch(/SMTPUTF8/);
    expect(await client.say(`MAIL FROM:<${from}> BODY=8BITMIME SMTPUTF8`)).toMatch(/^250 /);
    expect(await client.say(`RCPT TO:<${to}>`)).toMatch(/^250 /);
    expect(await client.say('DATA')).toMatch(/^354 /);
    const raw = mailOf({ from: `ផ្នែកសិទ្ធិមនុស្ស <${from}>`, subject: 'អំពីលិខិត', text: 'សូមអរគុណ' }, to);
    expect(await client.say(`${raw}\r\n.`)).toMatch(/^250 /);
    client.end();
    await one.replies('accepted');
    const text = (await one.forwards(1))[0]?.mail.text ?? '';
    for (const words of [`ផ្នែកសិទ្ធិមនុស្ស <${from}>`, 'អំពីលិខិត', 'សូមអរគុណ']) expect(text).toContain(words);
  });

  it('is known as ours where mail of ours comes round without its marks', async () => {
    const one = await correspond(instance, smtp);
    const from = `a.0123456789abcdef0123.0123456789abcdef0123@${mailDomain}`;
    expect((await one.brandWrites({ from })).at(-1)).toMatch(/^250 /);
    expect(await one.replies('kept')).toMatchObject([{ kind: 'automatic' }]);
  });

  it('is no wider than it is: what merely begins like it is not ours', async () => {
    for (const domain of ['ខ្មែ.example', `${mailDomain}.brand.example`, `brand.${mailDomain}`]) {
      const to = `postmaster@${domain}`;
      const answers = await bring(instance.inboundPort, { to, raw: mailOf({}, to) });
      expect(answers.at(-1)).toMatch(/^550 /);
    }
  });
});
