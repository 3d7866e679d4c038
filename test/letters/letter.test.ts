import { describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { databaseOf } from '../../src/embedded/postgres.ts';
import { finalStates, moves, states } from '../../src/letters/letter.ts';

describe('the life of a letter', () => {
  it('is the same in the program and in the database, for every pair of states', async () => {
    const client = new pg.Client({ connectionString: databaseOf(process.env.TEST_POSTGRES_URL as string, 'template_outspoken') });
    await client.connect();
    const { rows } = await client.query(`
      select was::text, becomes::text from unnest(enum_range(null::letter_state)) was, unnest(enum_range(null::letter_state)) becomes
      where letter_may_move(was, becomes)`);
    const { rows: known } = await client.query('select unnest(enum_range(null::letter_state))::text as state');
    await client.end();

    const fromProgram = Object.values(moves).flatMap(({ from, to }) => from.map((was) => `${was} -> ${to}`));
    const fromDatabase = rows.map(({ was, becomes }) => `${was} -> ${becomes}`);
    expect([...new Set(fromProgram)].sort()).toEqual(fromDatabase.sort());
    expect(known.map(({ state }) => state)).toEqual([...states]);
  });

  it('lets every state be reached from a draft, and every state but final ones be left', () => {
    const reached = new Set<string>(['draft']);
    for (let before = 0; before !== reached.size; ) {
      before = reached.size;
      for (const { from, to } of Object.values(moves)) if (from.some((state) => reached.has(state))) reached.add(to);
    }
    expect([...reached].sort()).toEqual([...states].sort());
    const left = new Set(Object.values(moves).flatMap(({ from }) => from as readonly string[]));
    for (const state of states) {
      if (!finalStates.includes(state)) expect(left).toContain(state);
    }
  });

  it('never leads from a refusal, a bounce or a cancellation back to sending', () => {
    for (const state of ['rejected', 'bounced', 'cancelled', 'expired', 'abandoned'] as const) {
      expect(Object.values(moves).filter(({ from }) => (from as readonly string[]).includes(state))).toEqual([]);
    }
  });
});
