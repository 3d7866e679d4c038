import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type pg from 'pg';
import { makeTemporaryFolder } from '../../src/embedded/temporary-folder.ts';
import { campaignPath } from '../support/advocate.ts';
import { describeWith } from '../support/needs.ts';
import { find, type Place, readFiles } from '../support/planted.ts';
import { readRedis } from '../support/queues.ts';
import { type RedisServer, startRedis } from '../support/redis.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';
import { setStage } from '../support/stage.ts';
import { live, planted, refused, trouble } from './life.ts';

/** What can be read after a run. */
type Run = {
  mail: Place[];
  /** The data folder: the database, and what lies beside it. */
  files: Place[];
  /** Every row of every table, since in its files PostgreSQL compresses what is long. */
  rows: Place[];
  log: Place[];
  urls: Place[];
  queue: Place[];
  /** The private tokens of the people, by which their pages open. */
  tokens: string[];
};

/** Lives on a stage, provokes all kinds of trouble, and reads everything that is left behind. */
async function run(folder: string, smtp: TestSmtp, redis?: RedisServer): Promise<Run> {
  const stage = await setStage(folder, smtp, redis?.url);
  try {
    const tokens = await live(stage);
    expect(await trouble(stage)).toEqual([422, 422, 403, 413, 400, 422, 415, 415, 415, 500, 500]);
    await stage.client.query('checkpoint');
    const rows = await readTables(stage.client);
    const files = await readFiles(folder);
    const queue = redis
      ? await readRedis(redis.url)
      : rows.filter(({ name }) => name.startsWith('bullmq.')).map(({ bytes }) => bytes.toString());
    await stage.close();
    return {
      tokens,
      files,
      rows,
      queue: [
        { name: 'queue', bytes: Buffer.from(queue.join('\n')) },
        ...(redis ? await readFiles(redis.folder) : []),
      ],
      log: [{ name: 'log', bytes: Buffer.from(stage.program.said()) }],
      urls: [{ name: 'access log', bytes: Buffer.from(stage.proxy.asked.join('\n')) }],
      mail: smtp.handedOver.map(({ raw, to }) => ({ name: `mail to ${to}`, bytes: raw })),
    };
  } catch (error) {
    await stage.close();
    throw error;
  }
}

/** Every table with its rows, BullMQ's own included. */
async function readTables(client: pg.Client): Promise<Place[]> {
  const { rows: tables } = await client.query<{ name: string }>(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
     where table_schema not in ('pg_catalog', 'information_schema') and table_type = 'BASE TABLE'`,
  );
  const read = tables.map(async ({ name }) => {
    const { rows } = await client.query<{ row: string }>(`select t::text as row from ${name} t`);
    return { name, bytes: Buffer.from([name, ...rows.map(({ row }) => row)].join('\n')) };
  });
  return Promise.all(read);
}

const secrets = [...Object.values(planted), ...Object.values(refused)];

function suite(startQueue: () => Promise<RedisServer | undefined>): void {
  let found: Run;
  let smtp: TestSmtp;
  let redis: RedisServer | undefined;
  let folder: string;
  beforeAll(async () => {
    folder = await makeTemporaryFolder('privacy');
    redis = await startQueue();
    smtp = await startSmtp();
    found = await run(folder, smtp, redis);
  }, 240_000);
  afterAll(async () => {
    await smtp?.close();
    await redis?.close();
    await rm(folder, { recursive: true, force: true });
  });
  const controlled = (places: Place[], control: string) => {
    expect(find([control], places)).not.toEqual([]);
    return places;
  };

  it('is in the letters and the mails, where it belongs, which shows that it can be found', () => {
    const inLetters = [planted.name, planted.words, planted.khmerWords, planted.description, planted.address];
    inLetters.push(planted.reply, planted.answer, planted.file, planted.attached);
    expect([...new Set(find(inLetters, found.mail).map(({ value }) => value))].sort()).toEqual(
      inLetters.sort(),
    );
    expect(new Set(find(inLetters, found.mail).map(({ form }) => form)).size).toBeGreaterThan(1);
  });

  it('is in no file: tables, indexes, the write-ahead log, the server log, and what is kept outside of the database', () => {
    const names = found.files.map(({ name }) => name);
    for (const part of ['/base/', '/pg_wal/', '/log/server.log', '/global/', '/taken-back/', '/high-water/'])
      expect(names.some((name) => name.includes(part))).toBe(true);
    const places = controlled(found.files, 'human-rights@hm.example');
    controlled(
      places.filter(({ name }) => name.includes('/pg_wal/')),
      'human-rights@hm.example',
    );
    controlled(
      places.filter(({ name }) => name.includes('/log/')),
      'out_of_order',
    );
    expect(find([...secrets, ...found.tokens], places)).toEqual([]);
  });

  it('is in no row of any table', () => {
    const places = controlled(found.rows, 'human-rights@hm.example');
    controlled(
      places.filter(({ name }) => name === 'public.event'),
      '550 5.7.1 refused as spam',
    );
    expect(find([...secrets, ...found.tokens], places)).toEqual([]);
  });

  it('is nowhere in the queue: jobs carry ids', () => {
    const places = controlled(found.queue, 'bundles');
    const files = places.filter(({ name }) => name.includes('appendonly'));
    if (redis) controlled(files, 'bundles');
    expect(find([...secrets, ...found.tokens], places)).toEqual([]);
  });

  it('is in no line of the log, not even at its most talkative, nor after failures', () => {
    const places = controlled(found.log, '"msg":"request"');
    controlled(places, '"code":"23514"');
    controlled(places, 'a notice was not accepted');
    controlled(places, '"status":500');
    expect(find([...secrets, ...found.tokens], places)).toEqual([]);
  });

  it('is in no address that was asked for or led to', () => {
    const places = controlled(found.urls, `POST ${campaignPath}/letters`);
    controlled(places, found.tokens[0] as string);
    expect(find(secrets, places)).toEqual([]);
  });
}

describe('what people write, and who they are (queue on PostgreSQL)', () => suite(async () => undefined));
describeWith('redis-server', 'what people write, and who they are (queue on Redis)', () =>
  suite(() => startRedis()),
);
