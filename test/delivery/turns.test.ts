import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { isTimeToRelease, releaseLetters } from '../../src/letters/release-letters.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { addCampaign, writeMany } from '../support/letters.ts';

/** What is kept of the last round that released something. */
type Round = { ago: string; gap: string; moreWaited?: boolean };

describe('rounds of all workers', () => {
  let instance: Instance;
  beforeEach(async () => {
    instance = await startInstance({ roles: ['web'] });
  });
  afterEach(() => instance.close());

  const isTime = () => isTimeToRelease(instance.context.database);
  const inTurn = async () => (await releaseLetters(instance.context.database, 'in turn')).length;
  const write = (...brands: string[]) => writeMany(instance, { people: 1, brands });

  async function lastRound({ ago, gap, moreWaited = false }: Round): Promise<void> {
    await instance.query(
      'update release_round set released_at = now() - $1::interval, gap = $2, more_waited = $3',
      [ago, gap, moreWaited],
    );
  }
  async function gap(): Promise<number> {
    const [row] = await instance.query<{ gap: number }>(
      'select (1000 * extract(epoch from gap))::int as gap from release_round',
    );
    return row?.gap as number;
  }
  const takeAllBut = (few: number) =>
    instance.query(
      `update bundle set worker_id = 1 where id in (select id from bundle order by bundle.id offset ${few})`,
    );
  const take = () => takeAllBut(0);

  it('begin at once after a quiet time, and then keep their distance', async () => {
    await write('hm', 'nike');
    expect(await isTime()).toBe(true);
    expect(await inTurn()).toBe(2);

    await write('puma');
    await lastRound({ ago: '59 minutes', gap: '1 hour' });
    expect(await isTime()).toBe(false);
    expect(await inTurn()).toBe(0);
    await lastRound({ ago: '61 minutes', gap: '1 hour' });
    expect(await isTime()).toBe(true);
    expect(await inTurn()).toBe(1);
  });

  it('come ever further apart in a crowd, up to a second, and close together again after it', async () => {
    const gapAfter = async (round: Round) => {
      await lastRound(round);
      await writeMany(instance, {
        people: 1,
        brands: ['hm'],
        address: `${round.gap}-${round.ago}@mail.example`,
      });
      await releaseLetters(instance.context.database);
      return gap();
    };
    expect(await gapAfter({ ago: '1 hour', gap: '1 second' })).toBe(125);
    // a round of a moment ago, whatever this machine makes of a moment
    expect(await gapAfter({ ago: '-1 hour', gap: '125 milliseconds' })).toBe(250);
    expect(await gapAfter({ ago: '-1 hour', gap: '250 milliseconds' })).toBe(500);
    expect(await gapAfter({ ago: '-1 hour', gap: '500 milliseconds' })).toBe(1000);
    expect(await gapAfter({ ago: '-1 hour', gap: '1 second' })).toBe(1000);
  });

  it('are told apart by what they release: one that released nothing does not count', async () => {
    await lastRound({ ago: '2 hours', gap: '1 hour' });
    expect(await inTurn()).toBe(0);
    expect(await gap()).toBe(3_600_000);
    expect(await isTime()).toBe(true);
  });

  it('come twice as soon where nobody has anything to send', async () => {
    await write('hm');
    await inTurn();
    await lastRound({ ago: '31 minutes', gap: '1 hour' });
    expect(await isTime()).toBe(false); // it waits to be taken
    await take();
    expect(await isTime()).toBe(true);
    await lastRound({ ago: '29 minutes', gap: '1 hour' });
    expect(await isTime()).toBe(false);
  });

  it('come at once where bundles run low and the last one could not release everything', async () => {
    const brands = await addCampaign(instance, 'launch', 42);
    await writeMany(instance, { people: 1, brands, campaign: 'launch' });
    expect(await inTurn()).toBe(40);
    await lastRound({ ago: '1 minute', gap: '1 hour', moreWaited: true });
    expect(await isTime()).toBe(false);
    await takeAllBut(8);
    expect(await isTime()).toBe(false);
    await takeAllBut(7);
    expect(await isTime()).toBe(true);
    await instance.query('delete from bundle'); // they are through
    expect(await inTurn()).toBe(2);
    await take();
    await lastRound({ ago: '1 minute', gap: '1 hour' });
    expect(await isTime()).toBe(false);
  });

  /** Whether a round, as it is made now, lets the next one come at once. */
  async function moreWaited(): Promise<boolean | undefined> {
    await releaseLetters(instance.context.database);
    await instance.query('delete from bundle');
    const [row] = await instance.query<{ more_waited: boolean }>('select more_waited from release_round');
    return row?.more_waited;
  }

  it('remember whether more waited', async () => {
    const brands = await addCampaign(instance, 'launch', 41);
    await writeMany(instance, { people: 1, brands, campaign: 'launch' });
    expect(await moreWaited()).toBe(true);
    expect(await moreWaited()).toBe(false);
  });

  it('take it for granted where bundles were three quarters full', async () => {
    await writeMany(instance, { people: 150, brands: ['hm', 'nike'] });
    expect(await moreWaited()).toBe(true);
    await writeMany(instance, { people: 149, brands: ['hm', 'nike'] });
    expect(await moreWaited()).toBe(false);
  });

  it('do not wait for a clock that was set back', async () => {
    await write('hm');
    await inTurn();
    await lastRound({ ago: '-1 hour', gap: '1 second' });
    expect(await isTime()).toBe(true);
  });
});
