/**
 * Makes one call of many: while a call is under way, further items wait, and go out together when it is back. An
 * item that comes alone goes at once, so a quiet system waits for nothing, and a busy one shares the cost of a
 * statement and of its commit among all who came meanwhile.
 *
 * `run` answers one result per item, in order, and does all of its work or none. When it throws, each item is
 * tried alone, so that nobody fails for another's sake, and all at a time, since against a database that says nothing
 * each fails only after a while; it must be harmless to run an item twice.
 *
 * @param most items in one call at most
 */
export function gather<Item, Result>(
  run: (items: Item[]) => Promise<Result[]>,
  most: number,
): (item: Item) => Promise<Result> {
  type Waiting = { item: Item; resolve: (result: Result) => void; reject: (error: unknown) => void };
  let waiting: Waiting[] = [];
  let running = false;

  async function settle(batch: Waiting[]): Promise<void> {
    try {
      const results = await run(batch.map(({ item }) => item));
      for (const [n, { resolve }] of batch.entries()) resolve(results[n] as Result);
    } catch (error) {
      if (batch.length === 1) batch[0]?.reject(error);
      else await Promise.all(batch.map((one) => settle([one])));
    }
  }
  async function work(): Promise<void> {
    running = true;
    while (waiting.length > 0) {
      const batch = waiting.slice(0, most);
      waiting = waiting.slice(most);
      await settle(batch);
    }
    running = false;
  }
  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject });
      if (!running) void work();
    });
}
