import { beforeEach, describe, expect, it } from '@jest/globals';
import { unknown } from '../../src/commands/unknown.ts';
import { sendLetter } from '../support/came-back.ts';
import { runHere } from '../support/commands.ts';
import { prepareDelivery } from '../support/delivery.ts';
import { wordsOf } from '../support/visitor.ts';

const { smtp, instance } = prepareDelivery({ roles: ['web', 'worker'], shared: true });
beforeEach(() => smtp.script((moment) => (moment === 'dot' ? { cut: 'rst' } : undefined)));

/** The lines that the command prints, by Message-ID. */
async function listed(messageId: string): Promise<string | undefined> {
  const { out } = await runHere(instance, unknown);
  return out.split('\n').find((line) => line.includes(`<${messageId}>`));
}
const idOf = (line: string | undefined) => /^\d+/.exec(line ?? '')?.[0] ?? '';

describe('letters of which nobody knows whether they arrived', () => {
  it('are listed: id, Message-ID, since when', async () => {
    expect((await runHere(instance, unknown)).out).toBe('0 letters are unknown.\n');
    const letter = await sendLetter(instance, 'hm', 'unknown');
    expect(await listed(letter.messageId)).toMatch(
      /^\d+ {2}<[0-9a-f]{20}@outspoken\.example> {2}since 20\d\d-/,
    );
    expect((await runHere(instance, unknown)).out).toMatch(/\n1 letter is unknown\.\n$/);
  });

  it('are accepted when a person has found evidence, which stands on the letter’s page', async () => {
    const letter = await sendLetter(instance, 'hm', 'unknown');
    const id = idOf(await listed(letter.messageId));
    const evidence = 'the relay’s log of 9 November says: queued as 77AB for human-rights@hm.example';
    const ran = await runHere(instance, unknown, 'accepted', id, '--evidence', evidence);
    expect(ran).toEqual({ status: 0, out: `Letter ${id} is accepted.\n`, err: '' });
    expect(await letter.state()).toBe('accepted');
    const words = wordsOf(await letter.page());
    expect(words).toMatch(/Was accepted, as we learned on \d+ /);
    expect(words).toContain(
      'Found to have been accepted the relay’s log of 9 November says: queued as 77AB for …',
    );
    expect(await listed(letter.messageId)).toBeUndefined();
  });

  it('are sent again when a person says so, with the same Message-ID', async () => {
    const letter = await sendLetter(instance, 'hm', 'unknown');
    const id = idOf(await listed(letter.messageId));
    smtp.script(undefined);
    const before = smtp.accepted.length;
    expect((await runHere(instance, unknown, 'resend', id)).status).toBe(0);
    await letter.becomes('accepted');
    expect(smtp.accepted).toHaveLength(before + 1);
    expect(smtp.accepted.at(-1)?.raw.toString()).toContain(`Message-ID: <${letter.messageId}>`);
    expect((await letter.timeline()).map(({ type }) => type)).toContain('resent');
  });

  it('are not sent again, nor listed any more, when their writer was erased: nobody could write them out', async () => {
    const letter = await sendLetter(instance, 'hm', 'unknown');
    const id = idOf(await listed(letter.messageId));
    await instance.visitor().post(`${letter.receipt}/erase`);
    expect(await runHere(instance, unknown, 'resend', id)).toMatchObject({ status: 1 });
    expect((await runHere(instance, unknown)).out).not.toMatch(new RegExp(`^${id} `, 'm'));
  });

  it('are changed by nothing else, and once', async () => {
    smtp.script(undefined);
    const sent = await sendLetter(instance);
    const [{ id } = { id: '' }] = await instance.query<{ id: string }>(
      'select id::text from letter where message_id = $1',
      [sent.messageId],
    );
    for (const args of [
      ['accepted', id, '--evidence', 'x'],
      ['resend', id],
      ['resend', '999999'],
    ]) {
      const ran = await runHere(instance, unknown, ...args);
      expect(ran).toMatchObject({ status: 1, err: expect.stringContaining('is not unknown, or it is gone') });
    }
    expect(await sent.state()).toBe('accepted');
  });

  it.each([
    ['accepted', '1'],
    ['accepted', '1', '--evidence', ' '],
    ['accepted', 'x', '--evidence', 'y'],
    ['resend'],
    ['resend', '1', '--evidence', 'y'],
    ['resend', '1', '2'],
    ['forget', '1'],
    ['--every'],
  ])('are left alone when the command is not understood: %s %s', async (...args) => {
    const ran = await runHere(instance, unknown, ...args);
    expect(ran).toMatchObject({ status: 1, err: expect.stringContaining('npm run unknown -- resend ID') });
  });
});
