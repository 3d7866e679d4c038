import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeAndConfirm } from '../support/advocate.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { untilTheyStand } from '../support/letters.ts';

describe('what happened to a letter', () => {
  let instance: Instance;
  let receipt: string;
  const events = async () =>
    (await instance.query<{ row: string }>('select event::text as row from event order by event::text')).map(
      ({ row }) => row,
    );

  beforeAll(async () => {
    instance = await startInstance();
    receipt = await writeAndConfirm(instance, instance.visitor());
    await untilTheyStand(instance, { receipt }, ({ hm }) => hm === 'accepted');
  });
  afterAll(() => instance.close());

  it.each([
    "update event set type = 'delivered'",
    'update event set at = now()',
    "update event set response = '250 changed'",
    'update event set letter_id = letter_id',
    'delete from event',
    'truncate event',
    'truncate letter, event cascade',
  ])('is kept as it was recorded: the database refuses %j', async (statement) => {
    const before = await events();
    expect(before.length).toBeGreaterThanOrEqual(5);
    await expect(instance.query(statement)).rejects.toThrow('append-only');
    expect(await events()).toEqual(before);
  });

  it('cannot be changed in the name of the scrub either, only removed, and only in its own transaction', async () => {
    const client = await instance.context.database.pool.connect();
    const before = await events();
    try {
      for (const refused of ["update event set response = 'x'", 'truncate event']) {
        await client.query('begin');
        await client.query("select set_config('outspoken.scrub', 'on', true)");
        await expect(client.query(refused)).rejects.toThrow('append-only');
        await client.query('rollback');
      }
      await client.query('begin');
      await client.query("select set_config('outspoken.scrub', 'on', true)");
      expect((await client.query('delete from event')).rowCount).toBe(before.length);
      await client.query('rollback');
      await expect(client.query('delete from event')).rejects.toThrow('append-only');
    } finally {
      client.release();
    }
    expect(await events()).toEqual(before);
  });
});
