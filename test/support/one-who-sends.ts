import { openLogbooks } from '../../src/letters/logbooks.ts';
import { createLog } from '../../src/log.ts';

/**
 * A process that works on the bundles 1, 2, …, one after the other, and lets letters leave as fast as they can, `first`, `first` + 1
 * and so on, until its logbook forbids it. Then it says how many left of each bundle.
 */
const [, , dataDir = '', name = '', boot = '', bundles = '1'] = process.argv;
const logbooks = await openLogbooks(dataDir, { name, log: createLog('silent'), boot });
const left: number[] = [];
for (let bundle = 1; bundle <= Number(bundles); bundle += 1) {
  const logbook = logbooks.open(String(bundle));
  const first = 10 ** bundle;
  let id = first;
  while (logbook.leaves(String(id))) id += 1;
  logbook.close(false);
  left.push(id - first);
}
process.stdout.write(JSON.stringify(left));
