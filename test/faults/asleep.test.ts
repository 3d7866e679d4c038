import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { openDatabase, statement } from '../../src/db/database.ts';
import { persist } from '../../src/db/persist.ts';
import { type Cable, layCableTo } from '../support/cable.ts';
import { cloneDatabase } from '../support/database.ts';
import { isRunning } from '../support/left-behind.ts';

let clone: Awaited<ReturnType<typeof cloneDatabase>>;
let cable: Cable & { url: string };
beforeEach(async () => {
  clone = await cloneDatabase();
  cable = await layCableTo(clone.url); // over TCP the server's last words arrive
});
afterEach(async () => {
  await cable.close();
  await clone.drop();
});

const loseItSoon = statement<{ pid: number }>(
  "select pg_backend_pid() as pid, set_config('idle_in_transaction_session_timeout', '50ms', true)",
);
const work = statement<{ n: number }>('select 1 as n');

/** As a machine that is put to sleep: nothing runs, and the server goes on, until this process of it has ended. */
function sleepThrough(pid: number): void {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  for (let n = 0; n < 3000 && isRunning(pid); n += 1) Atomics.wait(clock, 0, 0, 10);
}

it('a transaction that the server gave up while we slept is done once more', async () => {
  const database = openDatabase(cable.url);
  let tries = 0;
  const done = persist(
    () =>
      database.transaction(async (transaction) => {
        tries += 1;
        if (tries === 1) {
          const server = await transaction.row(loseItSoon);
          sleepThrough(server?.pid ?? 0);
        }
        return transaction.row(work);
      }),
    () => {},
  );
  expect(await done).toEqual({ n: 1 });
  expect(tries).toBe(2);
  await database.close();
});
