import { describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { describeSchema } from '../../src/db/describe-schema.ts';
import { migrate } from '../../src/db/migrate.ts';
import { cloneDatabase } from '../support/database.ts';
import { readText } from '../support/sources.ts';

async function withClone(work: (client: pg.Client, url: string) => Promise<void>): Promise<void> {
  const clone = await cloneDatabase();
  const client = new pg.Client({ connectionString: clone.url });
  await client.connect();
  try {
    await work(client, clone.url);
  } finally {
    await client.end();
    await clone.drop();
  }
}

describe('src/db/schema.sql', () => {
  it('is what the migrations make (npm run schema writes it anew)', () =>
    withClone(async (client) => {
      expect(await describeSchema(client)).toBe(readText('src/db/schema.sql'));
    }));

  it.each([
    ['a column', 'alter table letter add forgotten text'],
    ['an index', 'create index forgotten on letter (state)'],
    ['a constraint', 'alter table brand add constraint forgotten check (id > 0)'],
    ['a trigger', 'drop trigger events_are_append_only on event'],
    ['a comment', "comment on column brand.name is 'forgotten'"],
    ['a value of an enum', "alter type letter_state add value 'forgotten'"],
    [
      'a function',
      "create or replace function guard_events() returns trigger language plpgsql as 'begin return old; end'",
    ],
  ])('would show %s that it lacks', (_what, change) =>
    withClone(async (client) => {
      const before = await describeSchema(client);
      await client.query(change);
      expect(await describeSchema(client)).not.toBe(before);
    }),
  );

  it('stays as it is when the migrations run again', () =>
    withClone(async (client, url) => {
      const before = await describeSchema(client);
      await Promise.all([migrate(url), migrate(url)]);
      expect(await describeSchema(client)).toBe(before);
    }));
});

describe('every table', () => {
  it('says what it is for, unless its name does', () =>
    withClone(async (client) => {
      const { rows } = await client.query(
        `select relname as name, obj_description(oid) as comment from pg_class
         where relnamespace = 'public'::regnamespace and relkind = 'r' order by relname`,
      );
      const silent = rows.filter(({ comment }) => !comment).map(({ name }) => name);
      const plain = ['brand', 'campaign', 'campaign_brand', 'contact', 'letter', 'migration', 'notice'];
      expect(silent.filter((name) => !plain.includes(name))).toEqual([]);
    }));
});
