import { describe, expect, it } from '@jest/globals';
import { liftHold, startHold } from '../../src/hold/hold.ts';
import { reconcileLetters } from '../../src/letters/reconcile.ts';
import { scrub } from '../../src/letters/retention.ts';
import { dueReplies } from '../../src/replies/reply-queue.ts';
import { until } from '../support/advocate.ts';
import { anyLetter, fixture } from '../support/came-back.ts';
import { prepareDelivery } from '../support/delivery.ts';
import { startInstance } from '../support/instance.ts';
import { bring } from '../support/mail-client.ts';
import { type Correspondence, correspond } from '../support/replies.ts';
import { startSmtp } from '../support/smtp.ts';
import { fieldOf } from '../support/visitor.ts';

const { smtp, instance } = prepareDelivery({ roles: ['web', 'worker', 'inbound'], shared: true });

const kept = () => instance.query('select 1 from reply');
const counted = () => instance.query('select 1 from came_back');

/** Writes an answer that does not leave yet; the address of its page. */
async function draft(one: Correspondence, link: string): Promise<string> {
  const submission = fieldOf(await one.visitor.get(link), 'submission');
  return (await one.visitor.post(link, { submission, text: 'Thank you.' })).location;
}

async function answer(one: Correspondence, link: string): Promise<void> {
  await one.visitor.post(`${await draft(one, link)}/send`);
}

/** Makes everything about a letter as old as this. */
async function age({ messageId }: Correspondence, days: number): Promise<void> {
  const by = "- $2 * interval '1 day'";
  await instance.query(
    `update reply set at = at ${by} where letter_id = (select id from letter where message_id = $1)`,
    [messageId, days],
  );
  await instance.query(
    `update advocate set created_at = created_at ${by}, kept_until = kept_until ${by}
     where id = (select advocate_id from letter where message_id = $1)`,
    [messageId, days],
  );
  await instance.query(`update letter set state_at = state_at ${by} where message_id = $1`, [
    messageId,
    days,
  ]);
}

const named = (name: string) => `Content-Disposition: attachment; filename="${name}"`;

describe('an answer to a letter', () => {
  it('goes with its reader: erasing takes both sides of it, and closes its addresses', async () => {
    const one = await correspond(instance, smtp);
    await one.brandWrites();
    const [reply] = await one.replies('accepted');
    await answer(one, reply?.link ?? '');
    await one.replies('accepted', 'accepted');
    const alias = (await one.forwards(1))[0]?.mail.replyTo?.text ?? '';
    const returned = (await one.forwards(1))[0]?.from ?? '';
    expect(await kept()).toHaveLength(2);
    expect(await counted()).toHaveLength(1);
    await one.visitor.post(`${one.receipt}/erase`);
    expect(await kept()).toEqual([]);
    expect(await counted()).toEqual([]);
    expect((await one.brandWrites()).at(-1)).toMatch(/^550 5\.1\.1 /);
    expect((await one.advocateWrites(alias, 'Hello')).at(-1)).toMatch(/^550 5\.1\.1 /);
    expect((await one.advocateWrites(returned, 'Hello')).at(-1)).toMatch(/^550 /);
    const raw = fixture('postfix-failed', { ...anyLetter, returnPath: returned });
    expect((await bring(instance.inboundPort, { to: returned, raw })).at(-1)).toMatch(/^250 /);
    expect(await instance.query('select 1 from pen')).toEqual([]);
  });

  it('is not kept when its reader is erased while it is being taken, and nobody waits for the other for ever', async () => {
    for (let n = 0; n < 5; n += 1) {
      const one = await correspond(instance, smtp);
      const [answers, erased] = await Promise.all([
        one.brandWrites(),
        one.visitor.post(`${one.receipt}/erase`),
        one.brandWrites(),
      ]);
      expect(erased.status).toBe(303);
      expect(answers.at(-1)).toMatch(/^(250|550) /);
    }
    expect(await kept()).toEqual([]);
  });

  it('goes by the clock: 28 days after the letter’s end, and 28 days after the reader’s own last answer', async () => {
    const silent = await correspond(instance, smtp);
    const drafting = await correspond(instance, smtp);
    const talking = await correspond(instance, smtp);
    const links = new Map<Correspondence, string>();
    for (const one of [silent, drafting, talking]) {
      await one.brandWrites();
      const [reply] = await one.replies('accepted');
      links.set(one, reply?.link ?? '');
      await age(one, 29);
    }
    await silent.brandWrites(); // a brand that writes keeps nobody's data alive
    await silent.replies('accepted', 'accepted');
    await draft(drafting, links.get(drafting) ?? ''); // nor does what was never sent
    await drafting.replies('accepted', 'draft');
    await answer(talking, links.get(talking) ?? '');
    await talking.replies('accepted', 'accepted');
    await scrub(instance.context.database);
    expect((await silent.page()).status).toBe(404);
    expect((await drafting.page()).status).toBe(404);
    expect((await talking.page()).status).toBe(200);
    expect(await kept()).toHaveLength(2);
    await age(talking, 29);
    await scrub(instance.context.database);
    expect((await talking.page()).status).toBe(404);
    expect(await kept()).toEqual([]);
  });

  it('is not lost with the worker that was passing it on; it goes once more', async () => {
    const one = await correspond(instance, smtp);
    smtp.script((moment, { to }) =>
      moment === 'rcpt' && to.includes(one.address) ? { reply: '450 4.2.0 later' } : undefined,
    );
    await one.brandWrites();
    await until(
      async () => (await instance.query('select 1 from reply where tries = 1')).length,
      'a try',
      60_000,
    );
    await one.replies('waiting');
    smtp.script(undefined);
    // as a worker leaves it that was killed in the middle
    await instance.query(
      "update reply set state = 'sending', state_at = now() - interval '16 minutes' where tries = 1 and state = 'waiting'",
    );
    await one.replies('accepted');
    expect(await one.forwards(1)).toHaveLength(1);
  });

  it('goes no more when a second worker died of it, and nothing of its attachments is kept', async () => {
    const one = await correspond(instance, smtp);
    smtp.script((moment, { to }) =>
      moment === 'rcpt' && to.includes(one.address) ? { reply: '450 4.2.0 later' } : undefined,
    );
    const text = ['--b', '', 'See what is attached.', '--b', named('plan.txt'), '', 'A plan.', '--b--'];
    await one.brandWrites({
      headers: ['MIME-Version: 1.0', 'Content-Type: multipart/mixed; boundary="b"'],
      text: text.join('\r\n'),
    });
    for (const tries of [1, 2]) {
      const put = "tries = $1 and state = 'waiting' and cargo is not null";
      await until(
        async () => (await instance.query(`select from reply where ${put}`, [tries])).length,
        `try ${tries}`,
        60_000,
      );
      await instance.query(
        `update reply set state = 'sending', state_at = now() - interval '16 minutes' where ${put}`,
        [tries],
      );
    }
    await one.replies('unknown');
    expect(await instance.query('select 1 from reply where cargo is not null')).toEqual([]);
    smtp.script(undefined);
  });

  it('and what its reader answers goes once only: of one that a worker took along it is said that nobody knows', async () => {
    const one = await correspond(instance, smtp);
    await one.brandWrites();
    const [reply] = await one.replies('accepted');
    await instance.query("update campaign set state = 'paused'");
    await answer(one, reply?.link ?? '');
    await instance.query(
      "update reply set state = 'sending', state_at = now() - interval '16 minutes' where direction = 'from advocate' and state = 'waiting'",
    );
    await instance.query("update campaign set state = 'open'");
    await dueReplies(instance.context.database);
    await one.replies('accepted', 'unknown');
    expect(
      smtp.handedOver.filter(({ raw }) => raw.includes('Thank you.') && raw.includes(one.replyTo)),
    ).toEqual([]);
  });

  it('stays where it is while sending is on hold, and answers of before are then unknown', async () => {
    const one = await correspond(instance, smtp);
    await one.brandWrites();
    const [reply] = await one.replies('accepted');
    await instance.query("update campaign set state = 'paused'");
    await answer(one, reply?.link ?? '');
    await startHold(instance.context.database, 'asked');
    await instance.query("update campaign set state = 'open'");
    await one.brandWrites();
    await one.replies('accepted', 'waiting', 'waiting');
    const known = { accepted: [], complete: false };
    await reconcileLetters(instance.context, instance.context.config.dataDir, known);
    await one.replies('accepted', 'unknown', 'waiting');
    await liftHold(instance.context.database, 0);
    await one.replies('accepted', 'unknown', 'accepted');
  });

  it('that came while no worker was there is passed on by the next', async () => {
    const own = await startSmtp();
    const house = await startInstance({ roles: ['web', 'inbound'], smtpUrl: own.url });
    const worker = await house.startWorker();
    const one = await correspond(house, own);
    await worker.close();
    expect((await one.brandWrites()).at(-1)).toMatch(/^250 /);
    await one.replies('waiting');
    await house.startWorker();
    await one.replies('accepted');
    expect(await one.forwards(1)).toHaveLength(1);
    await house.close();
    await own.close();
  });
});
