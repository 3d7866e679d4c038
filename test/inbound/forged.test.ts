import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readReturnPath, returnPath } from '../../src/letters/alias.ts';
import { createVault } from '../../src/people/vault.ts';
import { aliasesOf, fixture, type SentLetter, sendLetter } from '../support/came-back.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { freshMasterKey } from '../support/keys.ts';
import { bring } from '../support/mail-client.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

let smtp: TestSmtp;
let instance: Instance;
let letter: SentLetter;
beforeAll(async () => {
  smtp = await startSmtp();
  instance = await startInstance({ roles: ['web', 'worker', 'inbound'], smtpUrl: smtp.url });
  letter = await sendLetter(instance);
});
afterAll(async () => {
  await instance.close();
  await smtp.close();
});

const day = 24 * 60 * 60 * 1000;
const penned = () => instance.query<{ reason: string }>('select reason from pen order by id desc');

describe('an address that we did not make', () => {
  it('takes nothing: every other signature, handle and time is refused', async () => {
    const [local = '', domain = ''] = letter.returnPath.split('@');
    const [, handle = '', expires = '', signature = ''] = local.split('.');
    const other = (text: string) => (text.startsWith('0') ? '1' : '0') + text.slice(1);
    const later = (Number.parseInt(expires, 36) + 1).toString(36);
    const forged = [
      `b.${handle}.${expires}.${other(signature)}@${domain}`,
      `b.${other(handle)}.${expires}.${signature}@${domain}`,
      `b.${handle}.${later}.${signature}@${domain}`,
      `b.${handle}.${expires}.${signature.slice(1)}@${domain}`,
      `b.${handle}.${expires}@${domain}`,
      `b.${handle}@${domain}`,
      `${local}@elsewhere.example`,
      `r.${other(handle)}@${domain}`,
      `letters@${domain}`,
      `root@${domain}`,
    ];
    const before = await letter.timeline();
    for (const to of forged) {
      const answers = await letter.bring('postfix-failed', to);
      expect([to, answers.at(-1)]).toEqual([to, expect.stringMatching(/^550 5\.1\.1 /)]);
    }
    expect(await letter.timeline()).toEqual(before);
    expect(await penned()).toEqual([]);
    expect((await letter.bring('postfix-delayed')).at(-1)).toMatch(/^250 /); // the right one does
    expect(await letter.timeline()).toHaveLength(before.length + 1);
  });

  it('takes nothing when its time is over', async () => {
    const old = aliasesOf(instance, letter.handle, new Date(Date.now() - 47 * day));
    expect((await letter.bring('postfix-failed', old.returnPath)).at(-1)).toMatch(/^550 5\.1\.1 /);
    const young = aliasesOf(instance, letter.handle, new Date(Date.now() - 40 * day));
    expect((await letter.bring('postfix-delayed', young.returnPath)).at(-1)).toMatch(/^250 /);
    expect(await letter.state()).toBe('accepted');
  });

  it('is known again in capitals, as some mail systems write it', async () => {
    const [local = '', domain = ''] = letter.returnPath.split('@');
    const loud = `${local.toUpperCase()}@${domain.toUpperCase()}`;
    expect((await letter.bring('postfix-relayed', loud)).at(-1)).toMatch(/^250 /);
    expect((await letter.timeline()).at(-1)?.type).toBe('relayed');
  });
});

describe('an address that is good', () => {
  it('moves nothing when the report is about another letter: a person must look', async () => {
    const other = await sendLetter(instance, 'nike');
    for (const name of ['postfix-failed', 'postfix-delivered', 'qmail-failed']) {
      const raw = fixture(name, { ...other, returnPath: letter.returnPath });
      const answers = await bring(instance.inboundPort, { to: letter.returnPath, raw });
      expect(answers.at(-1)).toMatch(/^250 /);
      expect((await penned())[0]?.reason).toBe('contradiction');
    }
    expect(await letter.state()).toBe('accepted');
    expect(await other.state()).toBe('accepted');
    expect(await penned()).toHaveLength(3);
  });

  it('moves nothing when the report is about somebody’s spam in our name', async () => {
    const raw = fixture('qmail-failed', { ...letter, messageId: '4711@spam.example' });
    await bring(instance.inboundPort, { to: letter.returnPath, raw });
    expect((await penned())[0]?.reason).toBe('contradiction');
    expect(await letter.state()).toBe('accepted');
  });

  it('is believed by the envelope’s id when a relay gave the message another Message-ID', async () => {
    const other = await sendLetter(instance);
    const raw = fixture('postfix-delivered', { ...other, messageId: '0100-0000@relay.example' });
    await bring(instance.inboundPort, { to: other.returnPath, raw });
    expect(await other.state()).toBe('delivered');
  });

  it('is believed by the address for answers when a relay gave it another Message-ID and names no envelope', async () => {
    const [other, third] = [await sendLetter(instance), await sendLetter(instance)];
    await other.bring('amazon-ses-failed');
    expect(await other.state()).toBe('bounced');
    for (const replyTo of [other.replyTo, 'sales@spam.example']) {
      const raw = fixture('amazon-ses-failed', { ...third, replyTo });
      await bring(instance.inboundPort, { to: third.returnPath, raw });
      expect((await penned())[0]?.reason).toBe('contradiction');
    }
    expect(await third.state()).toBe('accepted');
  });

  it('that is not signed takes no report: whoever answers letters cannot fail them', async () => {
    const other = await sendLetter(instance);
    expect((await other.bring('postfix-failed', other.replyTo)).at(-1)).toMatch(/^250 /);
    expect((await penned())[0]?.reason).toBe('unsigned address');
    expect(await other.state()).toBe('accepted');
  });

  it('moves nothing when no server has had the letter', async () => {
    smtp.script((moment) => (moment === 'rcpt' ? { reply: '450 4.2.0 later' } : undefined));
    const waiting = await sendLetter(instance, 'hm', 'deferred');
    smtp.script(undefined);
    await waiting.bring('postfix-delivered');
    expect((await penned())[0]?.reason).toBe('impossible');
    expect(await waiting.state()).toBe('deferred');
  });

  it('is taken, and forgotten, when its letter is erased', async () => {
    const erased = await sendLetter(instance);
    await instance.visitor().post(`${erased.receipt}/erase`);
    const before = (await penned()).length;
    expect((await erased.bring('postfix-failed')).at(-1)).toMatch(/^250 /);
    expect((await erased.bring('reply')).at(-1)).toMatch(/^250 /);
    expect((await erased.bring('reply', erased.replyTo)).at(-1)).toMatch(/^550 5\.1\.1 /);
    expect(await penned()).toHaveLength(before);
  });
});

describe('a Return-Path', () => {
  it('stays good when APP_KEY gets a newer key, and is worth nothing under another one', () => {
    const [old, young] = [freshMasterKey(1), freshMasterKey(2)];
    if (!old || !young) throw new Error('two keys were made');
    const now = new Date();
    const alias = returnPath(createVault([old]), '0123456789abcdef0123', 'outspoken.example', now);
    expect(readReturnPath(createVault([young, old]), alias, now)).toBe('0123456789abcdef0123');
    expect(readReturnPath(createVault([young]), alias, now)).toBeUndefined();
  });
});
