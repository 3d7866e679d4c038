import { describe, expect, it } from '@jest/globals';
import { dueNotices } from '../../src/notices/notice-queue.ts';
import { sendNotice } from '../../src/notices/send-notice.ts';
import { openMailer } from '../../workers/mailer.ts';
import { counting } from '../support/counting.ts';
import { prepareDelivery } from '../support/delivery.ts';
import { writeMany } from '../support/letters.ts';

describe('sending a notice', () => {
  const { smtp, instance } = prepareDelivery({ roles: ['web'], shared: true });

  const add = (n: number, state: string) =>
    instance.query(
      `insert into notice (advocate_id, kind, state)
       select id, 'confirm', $2::text::notice_state from (select id from advocate limit 1) as one, generate_series(1, $1::int)`,
      [n, state],
    );

  it('looks at no other that waits, also with a plan from a time when none did', async () => {
    await writeMany(instance, { people: 1, brands: ['hm'], confirmed: false });
    await add(200, 'accepted');
    await instance.query('analyze notice');
    await add(300, 'waiting');
    const mailer = await openMailer(instance.context);
    try {
      const { database, counts } = counting(instance.context.database, 'notice');
      const [, , one] = await dueNotices(database);
      counts.splice(0);
      const { vault, locales, log, config, site } = instance.context;
      const sending = { database, vault, locales, log, mailer, publicUrl: site.url };
      await sendNotice({ ...sending, mailDomain: config.mailDomain }, one?.id ?? '');
      expect(smtp.accepted).toHaveLength(1);
      expect(counts.length).toBeGreaterThan(1);
      expect(Math.max(...counts)).toBeLessThan(10);
    } finally {
      await mailer.close();
    }
  });
});
