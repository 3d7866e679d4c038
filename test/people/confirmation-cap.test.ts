import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { brandsOf, findCampaign } from '../../src/campaigns/campaign-store.ts';
import { type Database, openDatabase } from '../../src/db/database.ts';
import { submissionKey } from '../../src/letters/submission.ts';
import { type Written, writeLetters } from '../../src/letters/write-letters.ts';
import { askAgain } from '../../src/notices/ask-again.ts';
import { randomId } from '../support/advocate.ts';
import { type Instance, startInstance } from '../support/instance.ts';

let instance: Instance;
let written: (address: string) => Written;
beforeAll(async () => {
  instance = await startInstance({ roles: ['web'] });
  const { database, vault, wordings, config } = instance.context;
  const campaign = await findCampaign(database, 'speak-out-for-central', config.mailDomain);
  if (!campaign) throw new Error('there is no campaign');
  const brands = (await brandsOf(database, campaign.id)).slice(0, 1);
  const [wording] = await wordings.newest(campaign.id);
  if (!wording) throw new Error('there is no wording');
  written = (address) => ({
    language: 'en',
    submission: {
      key: submissionKey(vault, randomId(), address),
      campaign,
      brands,
      wording,
      identity: 'counted',
      said: { reasons: [] },
      address,
    },
  });
});
afterAll(() => instance.close());
beforeEach(async () => {
  await instance.query('delete from confirmation_cap');
  await instance.query('delete from advocate');
});

const write = async (address: string) =>
  (await writeLetters(instance.context.database, instance.context.vault, [written(address)]))[0];
const again = (waiting = '') => askAgain(instance.context.database, instance.context.vault, waiting);
/** Every notice is as good as sent, so that the next one may be asked for. */
const sent = () => instance.query("update notice set state = 'accepted' where state = 'waiting'");
const age = (by: string) =>
  instance.query(
    'update confirmation_cap set asked_at = array(select asked - $1::interval from unnest(asked_at) asked)',
    [by],
  );
const notices = async () =>
  (await instance.query<{ n: number }>('select count(*)::int as n from notice'))[0]?.n ?? 0;
const letters = async () =>
  (
    await instance.query<{ n: number }>('select count(*)::int as n from letter where advocate_id is not null')
  )[0]?.n;

describe('confirmation mails to one mailbox', () => {
  it('are two, when twenty submissions come at the same moment to several processes', async () => {
    const processes = Array.from({ length: 4 }, () => openDatabase(instance.context.databaseUrl, 5));
    const spellings = [
      'flood@mail.example',
      'FLOOD@mail.example',
      'flood+1@mail.example',
      'Flood+2@mail.example',
    ];
    const all = Array.from({ length: 20 }, (_, n) => n);
    const tokens = await Promise.all(
      all.map((n) =>
        writeLetters(processes[n % 4] as Database, instance.context.vault, [
          written(spellings[n % 4] as string),
        ]),
      ),
    );
    expect(await notices()).toBe(2);
    expect(await letters()).toBe(20);

    await sent();
    await Promise.all(
      tokens.map(([one], n) =>
        askAgain(processes[n % 4] as Database, instance.context.vault, one?.waiting ?? ''),
      ),
    );
    expect(await notices()).toBe(2);
    await Promise.all(processes.map((database) => database.close()));
  });

  it('are one more for each that is a day old, not two more a day after the first', async () => {
    const first = await write('rolling@mail.example');
    await age('23 hours');
    await sent();
    await again(first?.waiting);
    expect(await notices()).toBe(2);
    await sent();
    await again(first?.waiting);
    expect(await notices()).toBe(2);

    await age('1 hour 1 minute');
    await again(first?.waiting);
    expect(await notices()).toBe(3);
    await sent();
    await again(first?.waiting);
    expect(await notices()).toBe(3);
    await age('22 hours 58 minutes');
    await again(first?.waiting);
    expect(await notices()).toBe(3);
    await age('2 minutes');
    await again(first?.waiting);
    expect(await notices()).toBe(4);
    // the moments of older ones are nobody's business
    expect(await instance.query('select cardinality(asked_at) as n from confirmation_cap')).toEqual([
      { n: 2 },
    ]);
  });

  it('are not used up by asking while one is on its way', async () => {
    const first = await write('patient@mail.example');
    await Promise.all(Array.from({ length: 10 }, () => again(first?.waiting)));
    expect(await notices()).toBe(1);
    await sent();
    await again(first?.waiting);
    expect(await notices()).toBe(2);
  });

  it("do not count towards another mailbox's", async () => {
    await Promise.all(Array.from({ length: 3 }, () => write('one@mail.example')));
    await write('two@mail.example');
    await write('one@post.example');
    expect(await notices()).toBe(4);
  });

  it('tell nobody whether somebody wrote who has nearly the same address', async () => {
    for (const address of ['sok.chan@mail.example', 'sok_chan@mail.example', 'sok-chan@mail.example'])
      await write(address);
    await write('sokchan@mail.example');
    await write('sokchan@mail.example');
    expect(await notices()).toBe(5);
  });

  it('leave the letters stored when there is no mail any more, to be asked for tomorrow', async () => {
    await write('tomorrow@mail.example');
    await write('tomorrow@mail.example');
    const third = await write('tomorrow@mail.example');
    expect([await notices(), await letters()]).toEqual([2, 3]);
    await age('24 hours 1 minute');
    await again(third?.waiting);
    expect(await notices()).toBe(3);
  });

  it('are counted without the address: it stands nowhere in the table', async () => {
    await write('unseen@mail.example');
    const [row] = await instance.query<{ row: string; hash: Buffer }>(
      'select c::text as row, address_fingerprint as hash from confirmation_cap c',
    );
    expect(row?.row).not.toContain('unseen');
    expect(row?.hash).toHaveLength(16);
  });
});
