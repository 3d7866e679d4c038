import { describe, expect, it } from '@jest/globals';
import { inboundLimits } from '../../src/inbound/limits.ts';
import { timelineOn } from '../support/advocate.ts';
import { fixture } from '../support/came-back.ts';
import { prepareDelivery } from '../support/delivery.ts';
import { startInstance } from '../support/instance.ts';
import { bring } from '../support/mail-client.ts';
import { inOneMinute } from '../support/moments.ts';
import { type BrandMail, type Correspondence, correspond, mailOf, repliesOn } from '../support/replies.ts';
import { fieldOf } from '../support/visitor.ts';

const sender = 'letters@outspoken.example';
const from = 'human-rights@hm.example';

const { smtp, instance } = prepareDelivery({ roles: ['web', 'worker', 'inbound'], shared: true });

/** What our server says to mail for the From of letters, at its end. */
async function answerFrom(
  headers: string[],
  { to = sender, ...mail }: { to?: string | string[] } & Partial<BrandMail> = {},
): Promise<string> {
  const answers = await bring(instance.inboundPort, { to, from, raw: mailOf({ headers, ...mail }, sender) });
  return answers.at(-1) ?? '';
}

const kept = () => instance.query('select id from reply union all select id from pen');

describe('an answer to the From of a letter', () => {
  it.each<[string, (one: Correspondence) => string[]]>([
    ['In-Reply-To', (one) => [`In-Reply-To: <${one.messageId}>`]],
    ['References', (one) => ['In-Reply-To: <x@hm.example>', `References: <${one.messageId}> <x@hm.example>`]],
    [
      'a field that is folded and in capitals',
      (one) => [`references: <y@hm.example>\r\n\t<${one.messageId.toUpperCase()}>`],
    ],
  ])('finds its letter by %s, and goes on to whoever wrote it', async (_name, headers) => {
    const one = await correspond(instance, smtp);
    expect(await answerFrom(headers(one), { text: 'We take this up.' })).toMatch(/^250 /);
    const [reply] = await one.replies('accepted');
    expect(reply).toMatchObject({ kind: 'brand', words: expect.stringContaining('We take this up.') });
    expect((await one.forwards(1))[0]?.mail.text).toContain('We take this up.');
    expect(timelineOn(await one.page(), 'hm').at(-1)?.type).toBe('replied');
  });

  it('finds the letter that it answers, not another that it mentions before', async () => {
    const [one, other] = [await correspond(instance, smtp), await correspond(instance, smtp)];
    const mentions = [`In-Reply-To: <${one.messageId}>`, `References: <${other.messageId}>`];
    expect(await answerFrom(mentions)).toMatch(/^250 /);
    await one.replies('accepted');
    const nearest = [`References: <${one.messageId}> <${other.messageId}> <z@hm.example>`];
    expect(await answerFrom(nearest)).toMatch(/^250 /);
    await other.replies('accepted');
    expect(repliesOn(await one.page())).toHaveLength(1);
  });

  it('finds it from what its writer answered, too', async () => {
    const one = await correspond(instance, smtp);
    await one.brandWrites();
    const [reply] = await one.replies('accepted');
    const submission = fieldOf(await one.visitor.get(reply?.link ?? ''), 'submission');
    const { location } = await one.visitor.post(reply?.link ?? '', { submission, text: 'Thank you.' });
    await one.visitor.post(`${location}/send`);
    const [answer] = await one.atBrand(1);
    expect(answer?.mail.messageId).toBeDefined();
    expect(answer?.mail.messageId).not.toContain(one.handle);
    expect(await answerFrom([`In-Reply-To: ${answer?.mail.messageId}`])).toMatch(/^250 /);
    await one.replies('accepted', 'accepted', 'accepted');
  });

  it('is one reply, where a mail server brings it to both addresses', async () => {
    const one = await correspond(instance, smtp);
    const headers = [`In-Reply-To: <${one.messageId}>`];
    const mail = { id: 'both@hm.example', text: 'Once.' };
    expect(await answerFrom(headers, { to: [sender, one.replyTo], ...mail })).toMatch(/^250 /);
    expect(await answerFrom(headers, mail)).toMatch(/^250 /);
    await one.replies('accepted');
    expect(await one.forwards(1)).toHaveLength(1);
  });

  it('of a machine is shown as one, and goes no further', async () => {
    const one = await correspond(instance, smtp);
    const raw = fixture('ticket-opened', one).toString('latin1').replaceAll(one.replyTo, sender);
    expect(raw).toContain(`<${one.messageId}>`);
    expect((await bring(instance.inboundPort, { to: sender, from, raw })).at(-1)).toMatch(/^250 /);
    expect(await one.replies('kept')).toMatchObject([{ kind: 'automatic' }]); // it never waits to be passed on
  });

  it('moves no letter when it says that it is a report: nobody signed for that', async () => {
    const one = await correspond(instance, smtp);
    const raw = `In-Reply-To: <${one.messageId}>\r\n${fixture('postfix-failed', one)}`;
    // from the empty sender, as reports are and as a mail server in front asks for addresses, it is not even looked at
    expect((await bring(instance.inboundPort, { to: sender, raw })).at(-1)).toMatch(/^550 5\.1\.1 /);
    expect((await bring(instance.inboundPort, { to: sender, from, raw })).at(-1)).toMatch(/^250 /);
    expect(timelineOn(await one.page(), 'hm').at(-1)?.type).toBe('accepted');
    const [pen] = await instance.query<{ reason: string }>('select reason from pen order by id desc limit 1');
    expect(pen?.reason).toBe('unsigned address');
  });

  it.each<[string, (one: Correspondence) => string[]]>([
    ['names no letter', () => []],
    ['names one that there is not', () => ['In-Reply-To: <0123456789abcdef0123@outspoken.example>']],
    ['names one only in what it says', ({ messageId }) => ['', `In-Reply-To: <${messageId}>`]],
    ['names the address for answers in its stead', ({ replyTo }) => [`In-Reply-To: <${replyTo}>`]],
  ])('that %s is refused, with a word on where to write', async (_name, headers) => {
    const one = await correspond(instance, smtp);
    const before = await kept();
    expect(await answerFrom(headers(one))).toMatch(/^550 .*please write to the address in Reply-To/);
    expect(await kept()).toEqual(before);
  });

  it('that was forgotten is refused like one that never was', async () => {
    const one = await correspond(instance, smtp);
    await instance.query('update letter set message_id = null where message_id = $1', [one.messageId]);
    expect(await answerFrom([`In-Reply-To: <${one.messageId}>`])).toMatch(/^550 /);
  });

  it('lets nobody try Message-IDs for long', async () => {
    const { perMinute } = inboundLimits;
    const strict = await startInstance({
      roles: ['web', 'inbound'],
      inboundLimits: { ...inboundLimits, perMinute: { ...perMinute, strangers: 3 } },
    });
    await inOneMinute();
    const tries: string[] = [];
    for (let n = 0; n < 4; n += 1) {
      const headers = [`In-Reply-To: <0123456789abcdef012${n}@outspoken.example>`];
      tries.push(
        (await bring(strict.inboundPort, { to: sender, from, raw: mailOf({ headers }, sender) })).join(' '),
      );
    }
    expect(tries).toEqual([...Array(3).fill(expect.stringMatching(/ 550 /)), expect.stringMatching(/^421 /)]);
    await strict.close();
  });
});
