import { describe, expect, it } from '@jest/globals';
import { caps } from '../../src/replies/reply.ts';
import { prepareDelivery } from '../support/delivery.ts';
import { correspond, repliesOn } from '../support/replies.ts';

const { smtp, instance } = prepareDelivery({ roles: ['web', 'worker', 'inbound'], shared: true });

const times = <Result>(n: number, result: Result): Result[] => Array<Result>(n).fill(result);

/** Makes the letter's replies of so many days ago; a day is 24 hours, also where clocks are changed. */
const age = (messageId: string, days: number) =>
  instance.query(
    `update reply set at = at - $2 * interval '24 hours'
     where letter_id = (select id from letter where message_id = $1)`,
    [messageId, days],
  );

describe('mail without end to one letter', () => {
  it('is passed on a few times a day; the rest is shown, and says why it was not', async () => {
    const one = await correspond(instance, smtp);
    for (let n = 0; n <= caps.forwardsPerDay; n += 1) await one.brandWrites();
    const shown = await one.replies(...times(caps.forwardsPerDay, 'accepted'), 'kept');
    expect(shown.at(-1)?.words).toContain('Not sent on to your mailbox: there were too many');
    expect(shown.at(-1)?.kind).toBe('brand');
    expect(await one.forwards(caps.forwardsPerDay)).toHaveLength(caps.forwardsPerDay);
    await age(one.messageId, 1);
    await one.brandWrites();
    await one.replies(...times(caps.forwardsPerDay, 'accepted'), 'kept', 'accepted');
  });

  it('that comes all at once is counted all the same', async () => {
    const one = await correspond(instance, smtp);
    await Promise.all(times(caps.forwardsPerDay + 4, 0).map(() => one.brandWrites()));
    await one.forwards(caps.forwardsPerDay);
    const states = async () => repliesOn(await one.page()).map(({ state }) => state);
    expect((await states()).filter((state) => state === 'kept')).toHaveLength(4);
  });

  it('is passed on so often in all, and kept so often in all; then it waits for a person', async () => {
    const one = await correspond(instance, smtp);
    for (let n = 0; n < caps.forwards; n += 1) {
      await one.brandWrites();
      await age(one.messageId, 2);
    }
    for (let n = caps.forwards; n < caps.replies; n += 1) await one.brandWrites();
    await one.replies(...times(caps.forwards, 'accepted'), ...times(caps.replies - caps.forwards, 'kept'));
    expect(await instance.query('select 1 from pen')).toEqual([]);
    expect((await one.brandWrites({ id: 'more@brand.example', text: 'More.' })).at(-1)).toMatch(/^250 /);
    expect((await one.brandWrites({ id: 'more@brand.example', text: 'More.' })).at(-1)).toMatch(/^250 /);
    expect(await instance.query('select reason from pen')).toEqual([{ reason: 'too many replies' }]);
    expect(repliesOn(await one.page())).toHaveLength(caps.replies);
  });

  it('leaves the room of what may be passed on alone when a machine wrote it', async () => {
    const one = await correspond(instance, smtp);
    for (let n = 0; n < caps.forwardsPerDay; n += 1)
      await one.brandWrites({ headers: ['Auto-Submitted: auto-replied'] });
    await one.brandWrites();
    await one.replies(...times(caps.forwardsPerDay, 'kept'), 'accepted');
  });

  it('has no less room where its reader answered a lot', async () => {
    const one = await correspond(instance, smtp);
    await one.brandWrites();
    await one.replies('accepted');
    await instance.query(
      `insert into reply (handle, letter_id, advocate_id, direction, automatic, state, digest, content)
       select left(md5(n::text), 20), letter_id, advocate_id, 'from advocate', false, 'accepted', sha256(n::text::bytea), content
       from reply, generate_series(1, $1) n where letter_id = (select id from letter where message_id = $2)`,
      [caps.replies, one.messageId],
    );
    await one.brandWrites();
    expect(await one.forwards(2)).toHaveLength(2);
  });

  it('takes no room from other letters', async () => {
    const other = await correspond(instance, smtp);
    await other.brandWrites();
    await other.replies('accepted');
  });
});
