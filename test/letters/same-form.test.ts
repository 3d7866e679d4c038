import { expect, it } from '@jest/globals';
import type { Database } from '../../src/db/database.ts';
import { expireDrafts } from '../../src/letters/retention.ts';
import { writeLetters } from '../../src/letters/write-letters.ts';
import {
  campaignPath,
  confirmationLink,
  letterFields,
  lettersOn,
  mailFor,
  until,
} from '../support/advocate.ts';
import { prepareDelivery } from '../support/delivery.ts';
import { addressOf, lettersAmong } from '../support/letters.ts';
import { afterTheFirst, whileItWaits } from '../support/moments.ts';
import type { Page } from '../support/visitor.ts';

const { smtp, instance } = prepareDelivery({ roles: ['web'] });

async function letExpire(database: Database): Promise<void> {
  const people = await instance.query<{ id: string }>('select id::text from advocate');
  await database.transaction((transaction) =>
    expireDrafts(
      transaction,
      people.map(({ id }) => id),
    ),
  );
}

type Send = () => Promise<Page>;

const moments: [string, (send: Send) => Promise<Page>][] = [
  [
    'is being deleted',
    async (send) => {
      const [, again] = await whileItWaits(instance, letExpire, send);
      return again;
    },
  ],
  [
    'is deleted after it was found, and before it was read',
    (send) => {
      const { context } = instance;
      const { database, vault } = context;
      const watched = afterTheFirst(database, () => letExpire(database));
      context.writeLetters = async (written) => {
        const [tokens] = await writeLetters(watched, vault, [written]);
        if (!tokens) throw new Error('nothing was written');
        return tokens;
      };
      return send();
    },
  ],
  [
    'was deleted just now',
    async (send) => {
      await letExpire(instance.context.database);
      return send();
    },
  ],
];

it.each(moments)('the same form, sent again while its draft %s, is a new one', async (_when, sendIn) => {
  const fields = letterFields({ brand: ['hm', 'nike'] });
  const visitor = instance.visitor();
  await visitor.get(campaignPath);
  const send = () => visitor.post(`${campaignPath}/letters`, fields);
  const first = await send();
  expect(first.status).toBe(303);

  const again = await sendIn(send);
  expect(again.status).toBe(303);
  expect(again.location).not.toBe(first.location);
  expect((await visitor.get(first.location)).status).toBe(404);
  expect((await visitor.get(again.location)).status).toBe(200);

  await instance.startWorker();
  const address = String(fields.email);
  const confirmed = await visitor.post(await confirmationLink(smtp, address));
  const states = async () => lettersOn(await visitor.get(confirmed.location)).map(({ state }) => state);
  await until(async () => (await states()).join() === 'accepted,accepted', 'two letters', 30_000);
  expect(await mailFor(smtp, address)).toHaveLength(1);
  expect(
    lettersAmong(smtp.handedOver)
      .map(({ to }) => to[0])
      .sort(),
  ).toEqual([addressOf('hm'), addressOf('nike')]);
});
