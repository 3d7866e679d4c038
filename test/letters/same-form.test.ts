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
  randomId,
  until,
} from '../support/advocate.ts';
import { prepareDelivery } from '../support/delivery.ts';
import { addressOf, gate, lettersAmong, untilStates, untilTheyStand } from '../support/letters.ts';
import { afterTheFirst, whileItWaits } from '../support/moments.ts';
import { type Page, wordsOf } from '../support/visitor.ts';

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
  await untilTheyStand(
    instance,
    { receipt: confirmed.location },
    ({ hm, nike }) => hm === 'accepted' && nike === 'accepted',
  );
  const receipt = await visitor.get(confirmed.location);
  expect(lettersOn(receipt).map(({ state }) => state)).toEqual(['accepted', 'accepted']);
  expect(await mailFor(smtp, address)).toHaveLength(1);
  expect(
    lettersAmong(smtp.handedOver)
      .map(({ to }) => to[0])
      .sort(),
  ).toEqual([addressOf('hm'), addressOf('nike')]);
});

it('the same form, sent again after its letters were erased in the air, is told of that, and sends nothing', async () => {
  const answer = gate();
  smtp.script((moment, { to }) =>
    moment === 'dot' && to[0] === addressOf('hm') ? { until: answer.opened } : undefined,
  );
  await instance.startWorker();
  const fields = letterFields({ brand: ['hm'] });
  const visitor = instance.visitor();
  await visitor.get(campaignPath);
  const send = () => visitor.post(`${campaignPath}/letters`, fields);
  await send();
  const { location: receipt } = await visitor.post(await confirmationLink(smtp, String(fields.email)));
  await until(async () => lettersAmong(smtp.handedOver).length === 1, 'a letter in the air');
  await visitor.post(`${receipt}/erase`);

  const again = await send();
  expect(again.status).toBe(409);
  expect(wordsOf(again)).toContain('These letters were erased while they were on their way');
  expect(await instance.query('select from advocate')).toEqual([]);
  const other = await visitor.post(`${campaignPath}/letters`, { ...fields, submission: randomId() });
  expect(other.status).toBe(303); // a form of its own is one that nobody has used

  answer.open();
  await untilStates(instance, { accepted: 1, draft: 1 });
  expect(lettersAmong(smtp.handedOver)).toHaveLength(1);
});
