import { openDatabase, statement } from '../../src/db/database.ts';
import { resolveUnknown } from '../../src/letters/unknown-letters.ts';
import type { Journal } from './journal.ts';
import { pause } from './processes.ts';
import type { Row } from './verdict.ts';

/** What the fault run does to the database beside the workers: time passes, and the relay's log is played. */
export type Flow = {
  /** Letters that are not at an end, by state. */
  underway(): Promise<Record<string, number>>;
  /** Unknown letters that the log has are accepted; with `complete`, those that it lacks go out again. */
  playLog(journal: Journal, complete: boolean): Promise<void>;
  rows(): Promise<Row[]>;
  /** What happened to some letters, a line each. */
  timelines(messageIds: string[]): Promise<string[]>;
  close(): Promise<void>;
};

// Deferred letters would be tried again in minutes to hours, and a host that asked for a break be asked again
// after a minute: their times are brought forward, in `letter` and `waiting_letter` alike, as if it had passed.
const passTime = statement(`
  with due as (
    select letter_id, due_at from waiting_letter where deferred and due_at > now()
    limit 500 for update skip locked
  ),
  moved as (
    update waiting_letter set due_at = now() from due
    where deferred and waiting_letter.due_at = due.due_at and waiting_letter.letter_id = due.letter_id
    returning waiting_letter.letter_id
  ),
  probed as (
    update receiver set probe_at = now() where probe_at > now()
  )
  update letter set due_at = now() from moved where letter.id = moved.letter_id`);

const count = statement<{ state: string; n: number }>(`
  select state::text, count(*)::int as n from letter
  where state in ('draft', 'held', 'ready', 'queued', 'sending', 'deferred')
  group by state`);

const unknown = statement<{ message_id: string }>("select message_id from letter where state = 'unknown'");

const all = statement<Row>(`
  select message_id as "messageId", state::text, exists (
    select from event where letter_id = letter.id and type = 'sight_lost'
  ) as "wasUnknown"
  from letter`);

const timeline = statement<{ line: string }>(`
  select message_id || ' ' || string_agg(concat_ws(' ', type, code, host, response), ', ' order by at) as line
  from letter join event on letter_id = letter.id
  where message_id = any ($1::text[])
  group by message_id`);

export function startFlow(url: string): Flow {
  const database = openDatabase(url, 2);
  let ended = false;

  /** The database may be away at any moment. */
  async function insist<Result>(work: () => Promise<Result>): Promise<Result> {
    for (let tries = 0; ; tries += 1) {
      try {
        return await work();
      } catch (error) {
        if (tries > 300) throw error;
        await pause(100);
      }
    }
  }
  const passing = (async () => {
    while (!ended) {
      await insist(() => database.rows(passTime));
      await pause(250);
    }
  })();
  return {
    async underway() {
      const rows = await insist(() => database.rows(count));
      return Object.fromEntries(rows.map(({ state, n }) => [state, n]));
    },
    async playLog(journal, complete) {
      const letters = await insist(() => database.rows(unknown));
      journal.read();
      const evidence = letters.map(({ message_id: messageId }) => {
        const [response] = journal.entries.get(messageId) ?? [];
        return {
          messageId,
          accepted: response !== undefined,
          host: 'relay.example',
          response: response ?? '',
        };
      });
      const telling = evidence.filter(({ accepted }) => accepted || complete);
      await insist(() => resolveUnknown(database, telling));
    },
    rows: () => insist(() => database.rows(all)),
    timelines: async (messageIds) =>
      (await insist(() => database.rows(timeline, [messageIds]))).map(({ line }) => line),
    async close() {
      ended = true;
      await passing;
      await database.close();
    },
  };
}
