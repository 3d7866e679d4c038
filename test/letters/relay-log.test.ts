import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readAccepted } from '../../src/letters/relay-log.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'outspoken-log-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const id = (n: number) => `${String(n).padStart(20, '0')}@letters.example`;
async function read(...lines: string[]) {
  const file = join(folder, 'log');
  await writeFile(file, lines.join('\n'));
  return (await readAccepted(file)).map((one) => ('messageId' in one ? one.messageId : '')).sort();
}
const line = (program: string, rest: string) => `Nov 24 10:00:00 mx postfix/${program}[7]: ${rest}`;

describe("a relay's log", () => {
  it('is a list of Message-IDs, with or without brackets, each counted once', async () => {
    expect(await read(`<${id(1)}>`, id(2), `  ${id(2).toUpperCase()}  `, '', 'something else')).toEqual([
      id(1),
      id(2),
    ]);
  });

  it('is a Postfix log: what reached the queue counts, what was broken off before does not', async () => {
    expect(
      await read(
        line('smtpd', '4AAA: client=worker.example[192.0.2.1]'),
        line('cleanup', `4AAA: message-id=<${id(1)}>`),
        line('qmgr', '4AAA: from=<b.x@letters.example>, size=912, nrcpt=1 (queue active)'),
        line(
          'smtp',
          '4AAA: to=<csr@brand.example>, relay=mx.brand.example[192.0.2.9]:25, dsn=2.0.0, status=sent (250 ok)',
        ),
        line('cleanup', `4BBB: message-id=<${id(2)}>`),
        line('smtpd', 'lost connection after DATA from worker.example[192.0.2.1]'),
        line('cleanup', `4CCC: message-id=<${id(3)}>`),
        line(
          'smtp',
          '4CCC: to=<csr@brand.example>, relay=none, dsn=4.4.1, status=deferred (connect timed out)',
        ),
        line('cleanup', '4DDD: message-id=<somebody-else@elsewhere.example>'),
        line('qmgr', '4DDD: from=<x@elsewhere.example>, size=1, nrcpt=1 (queue active)'),
        // the queue's names are used again
        line('cleanup', `4AAA: message-id=<${id(4)}>`),
        line('qmgr', '4AAA: from=<b.x@letters.example>, size=912, nrcpt=1 (queue active)'),
      ),
    ).toEqual([id(1), id(3), id(4)]);
  });

  it('is taken at its word where only the lines with Message-IDs were picked out', async () => {
    expect(
      await read(
        line('cleanup', `4AAA: message-id=<${id(1)}>`),
        line('cleanup', `4BBB: message-id=<${id(2)}>`),
      ),
    ).toEqual([id(1), id(2)]);
  });

  it('tells nothing when it is empty, and says so when it is not there', async () => {
    expect(await read('')).toEqual([]);
    await expect(readAccepted(join(folder, 'nowhere'))).rejects.toThrow(
      /cannot be read \(ENOENT: there is no such file or folder\)/,
    );
  });
});
