import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { finalStates, moves, states } from '../../src/letters/letter.ts';
import { cloneDatabase } from '../support/database.ts';

describe('the life of a letter', () => {
  let database: Awaited<ReturnType<typeof cloneDatabase>>;
  let client: pg.Client;
  beforeAll(async () => {
    database = await cloneDatabase();
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
  });
  afterAll(async () => {
    await client.end();
    await database.drop();
  });

  it('is guarded by the database: it lets through the moves of the table and no other', async () => {
    const { rows } = await client.query('select unnest(enum_range(null::letter_state))::text as state');
    expect(rows.map(({ state }) => state)).toEqual([...states]);

    await client.query('alter table letter disable trigger user');
    const { rows: letters } = await client.query(
      `insert into letter (campaign_id, brand_id, wording_id, state, message_id)
       select 1, 1, 1, was, was || '>' || becomes
       from unnest($1::letter_state[]) was, unnest($1::letter_state[]) becomes where was <> becomes
       returning id, state as was, split_part(message_id, '>', 2) as becomes`,
      [states],
    );
    await client.query('alter table letter enable trigger user');
    const moved: string[] = [];
    for (const { id, was, becomes } of letters) {
      const done = client.query('update letter set state = $2 where id = $1', [id, becomes]);
      if (await done.then(Boolean, () => false)) moved.push(`${was} -> ${becomes}`);
    }

    const allowed = Object.values(moves).flatMap(({ from, to }) => from.map((was) => `${was} -> ${to}`));
    expect(moved.sort()).toEqual([...new Set(allowed)].sort());
  });

  it('lets every state be reached from a draft, and every state but final ones be left', () => {
    const reached = new Set<string>(['draft']);
    for (let before = 0; before !== reached.size; ) {
      before = reached.size;
      for (const { from, to } of Object.values(moves))
        if (from.some((state) => reached.has(state))) reached.add(to);
    }
    expect([...reached].sort()).toEqual([...states].sort());
    const left = new Set(Object.values(moves).flatMap(({ from }) => from as readonly string[]));
    for (const state of states) {
      if (!finalStates.includes(state)) expect(left).toContain(state);
    }
  });

  it('never leads from a refusal, a bounce or a cancellation back to sending', () => {
    for (const state of ['rejected', 'bounced', 'cancelled', 'expired', 'abandoned'] as const) {
      expect(Object.values(moves).filter(({ from }) => (from as readonly string[]).includes(state))).toEqual(
        [],
      );
    }
  });
});
