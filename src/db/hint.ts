import pg from 'pg';
import { atMost } from '../time.ts';
import { type Database, lifeline, statement } from './database.ts';

const channel = 'outspoken_letters';
const notify = statement(`select pg_notify('${channel}', '')`);

/** How long hints are gathered before one is given, in milliseconds. */
const gather = 20;

/**
 * Tells workers that there is something to do, without waiting for the answer and without promising anything:
 * a lost hint costs them one round of looking (a second), never a letter. It is given after the commit and
 * outside of it, since a NOTIFY inside takes a lock that all commits would queue for.
 */
export function createHint(db: Database): () => void {
  let pending = false;
  return () => {
    if (pending) return;
    pending = true;
    setTimeout(() => {
      pending = false;
      db.rows(notify).catch(() => {});
    }, gather).unref();
  };
}

/** How often the connection is asked whether it is still there, in milliseconds: waiting, it would not notice. */
const probing = 5000;

/**
 * Calls `onHint` for every hint, over a connection of its own that is made again when it breaks.
 *
 * @param onConnect a statement that is run on every new connection, for what shall last as long as it
 */
export function listenForHints(
  url: string,
  onHint: () => void,
  onConnect = 'select',
): { close(): Promise<void> } {
  let closed = false;
  let client: pg.Client | undefined;
  let retry: NodeJS.Timeout | undefined;
  let idle = false; // a connection is asked one thing at a time

  async function connect(): Promise<void> {
    idle = false;
    client = new pg.Client({ connectionString: url, application_name: 'outspoken-hints', ...lifeline });
    client.on('notification', onHint);
    client.on('error', again);
    client.on('end', again);
    try {
      await client.connect();
      await client.query(onConnect);
      await client.query(`listen ${channel}`);
      idle = true;
    } catch {
      again();
    }
  }
  const probe = setInterval(() => {
    if (!idle || retry) return;
    const asked = client;
    idle = false;
    asked?.query('select').then(() => {
      if (asked === client) idle = true;
    }, again);
  }, probing);
  probe.unref();
  function again(): void {
    if (closed || retry) return;
    client?.removeAllListeners('end');
    client?.end().catch(() => {});
    retry = setTimeout(() => {
      retry = undefined;
      void connect();
    }, 1000);
  }
  void connect();
  return {
    async close() {
      closed = true;
      clearTimeout(retry);
      clearInterval(probe);
      const ended = client?.end().catch(() => {});
      await atMost(2000, ended); // a connection that died in silence never ends
    },
  };
}
