import { beforeEach, describe, expect, it } from '@jest/globals';
import { sendLetter, writeLettersTo } from '../support/came-back.ts';
import { prepareDelivery } from '../support/delivery.ts';
import { gate } from '../support/letters.ts';
import { wordsOf } from '../support/visitor.ts';

const { smtp, instance } = prepareDelivery({ roles: ['web', 'worker', 'inbound'], shared: true });
beforeEach(() => smtp.script(undefined));

const types = (events: { type: string }[]) => events.map(({ type }) => type);

/** The server takes the whole message, and its answer is lost. */
const loseAnswers = () => smtp.script((moment) => (moment === 'dot' ? { cut: 'rst' } : undefined));

describe('a report about a letter', () => {
  it('that failed shows it as come back, with the words of the server that refused it', async () => {
    const letter = await sendLetter(instance);
    expect((await letter.bring('postfix-failed')).at(-1)).toMatch(/^250 /);
    expect(await letter.state()).toBe('bounced');
    expect((await letter.timeline()).at(-1)).toEqual({
      type: 'bounced',
      code: '550',
      host: 'mailbox.brand.example',
      response: '550 5.1.1 <…>: Recipient address rejected: User unknown in virtual mailbox table',
    });
    const words = wordsOf(await letter.page());
    expect(words).toMatch(/Came back on .* UTC: mailbox\.brand\.example could not deliver it/);
    expect(words).toContain('See below what became of your letter');
    expect(words).not.toMatch(/accepted yet|has been accepted/);
  });

  it('whose server gave up waiting shows it as come back as well', async () => {
    const letter = await sendLetter(instance);
    await letter.bring('postfix-gave-up');
    expect(await letter.state()).toBe('bounced');
    expect((await letter.timeline()).at(-1)).toMatchObject({ type: 'bounced', code: '452' });
  });

  it('that was delivered shows it as delivered, and does not say that it was read', async () => {
    const letter = await sendLetter(instance);
    await letter.bring('postfix-delivered');
    expect(await letter.state()).toBe('delivered');
    expect(wordsOf(await letter.page())).toMatch(
      /Delivered into a mailbox on .* UTC, says mx\.brand\.example\. It does not mean that anyone has read it/,
    );
  });

  it.each([
    ['postfix-relayed', 'relayed', /will not tell us more, says mailbox\.brand\.example/],
    ['postfix-expanded', 'expanded', /to several mailboxes, says mx\.brand\.example/],
    ['postfix-delayed', 'delayed', /still being tried, says mx\.brand\.example/],
  ])('%s is told on its page, and leaves it accepted', async (name, type, words) => {
    const letter = await sendLetter(instance);
    await letter.bring(name);
    expect(await letter.state()).toBe('accepted');
    expect((await letter.timeline()).at(-1)?.type).toBe(type);
    expect(wordsOf(await letter.page())).toMatch(words);
    // the sentence above the steps still says who accepted it, and when
    expect(wordsOf(await letter.page())).toMatch(/Accepted by mx\.brand\.example on /);
  });

  it.each([
    ['before', ['mailbox-behind-failed', 'postfix-delivered']],
    ['after', ['postfix-delivered', 'mailbox-behind-failed']],
  ])(
    'that a mailbox behind the address failed is no failure of the letter, %s another has it',
    async (when, names) => {
      const letter = await sendLetter(instance);
      await letter.bring(names[0] ?? '');
      if (when === 'before') expect(await letter.state()).toBe('accepted');
      await letter.bring(names[1] ?? '');
      expect(await letter.state()).toBe('delivered');
      expect(await letter.timeline()).toContainEqual({
        type: 'failed_behind',
        code: '',
        host: 'mx.brand.example',
        response: '5.1.1 user unknown',
      });
      expect(wordsOf(await letter.page())).toContain(
        'mx.brand.example could not bring it to a mailbox behind this address; we do not know whether it reached another',
      );
    },
  );

  it('may follow another: delayed, delivered, and then failed further on', async () => {
    const letter = await sendLetter(instance);
    for (const name of ['postfix-delayed', 'postfix-delivered', 'postfix-failed', 'postfix-relayed']) {
      await letter.bring(name);
    }
    expect(types(await letter.timeline()).slice(-4)).toEqual(['delayed', 'delivered', 'bounced', 'relayed']);
    expect(await letter.state()).toBe('bounced');
  });

  it('counts once, however often it comes', async () => {
    const letter = await sendLetter(instance);
    await letter.bring('postfix-delayed');
    const before = await letter.timeline();
    for (let n = 0; n < 3; n += 1) {
      expect((await letter.bring('postfix-delayed')).at(-1)).toMatch(/^250 /);
    }
    expect(await letter.timeline()).toEqual(before);
  });

  it('counts once when it comes several times at once', async () => {
    const letter = await sendLetter(instance);
    const before = (await letter.timeline()).length;
    const answers = await Promise.all(Array.from({ length: 6 }, () => letter.bring('postfix-delayed')));
    expect(answers.map((all) => all.at(-1)?.slice(0, 3))).toEqual(Array(6).fill('250'));
    expect(await letter.timeline()).toHaveLength(before + 1);
  });

  it('that comes before its sending was written down waits for it', async () => {
    const held = gate();
    smtp.script((moment) => (moment === 'dot' ? { until: held.opened } : undefined));
    const [letter] = await writeLettersTo(instance);
    await letter?.becomes('sending');
    const brought = letter?.bring('postfix-delivered');
    setTimeout(held.open, 1000); // long enough to be read and found too early; if it was not, it comes afterwards
    expect((await brought)?.at(-1)).toMatch(/^250 /);
    expect(types((await letter?.timeline()) ?? []).slice(-2)).toEqual(['accepted', 'delivered']);
  });
});

describe('other mail about a letter', () => {
  it('that complains of it is told on its page', async () => {
    const letter = await sendLetter(instance);
    await letter.bring('complaint');
    expect(await letter.state()).toBe('accepted');
    expect(wordsOf(await letter.page())).toContain('somebody there marked it as unwanted');
  });

  it('that complains of it to our abuse address finds it by the Return-Path that we signed', async () => {
    const letter = await sendLetter(instance);
    expect((await letter.bring('complaint', 'abuse@outspoken.example')).at(-1)).toMatch(/^250 /);
    expect((await letter.timeline()).at(-1)?.type).toBe('complained');
  });

  it.each(['exchange-vacation', 'vacation-that-quotes-a-bounce', 'vacation-that-carries-a-report'])(
    '%s is an automatic reply, and no failure',
    async (name) => {
      const letter = await sendLetter(instance);
      await letter.bring(name);
      expect(await letter.state()).toBe('accepted');
      expect((await letter.timeline()).at(-1)?.type).toBe('auto_replied');
      expect(wordsOf(await letter.page())).toContain('An automatic reply came; no person wrote it');
    },
  );

  it('that answers by itself at the address for answers is told as well', async () => {
    const letter = await sendLetter(instance);
    await letter.bring('ticket-opened', letter.replyTo);
    expect((await letter.timeline()).at(-1)?.type).toBe('auto_replied');
  });
});

describe('a letter of which we do not know whether it arrived', () => {
  it.each([
    ['postfix-delivered', 'delivered', ['accepted', 'delivered']],
    ['postfix-relayed', 'accepted', ['accepted', 'relayed']],
    ['postfix-expanded', 'accepted', ['accepted', 'expanded']],
    ['postfix-delayed', 'accepted', ['accepted', 'delayed']],
    ['postfix-failed', 'bounced', ['accepted', 'bounced']],
    ['exchange-vacation', 'accepted', ['accepted', 'auto_replied']],
    ['complaint', 'accepted', ['accepted', 'complained']],
  ])('is cleared up by %s: it is %s', async (name, state, events) => {
    loseAnswers();
    const letter = await sendLetter(instance, 'hm', 'unknown');
    await letter.bring(name);
    expect(await letter.state()).toBe(state);
    expect(types(await letter.timeline()).slice(-2)).toEqual(events);
    const words = wordsOf(await letter.page());
    expect(words).not.toMatch(/Accepted by {1,2}(on|$)/);
    if (name === 'exchange-vacation') expect(words).toMatch(/Was accepted, as we learned on /);
  });
});
