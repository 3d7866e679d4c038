import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { classify } from '../../src/inbound/classify.ts';
import { foreignBounces } from '../../src/inbound/foreign-bounces.ts';
import { digestOf, readMail } from '../../src/inbound/read-mail.ts';
import type { Verdict } from '../../src/inbound/verdict.ts';
import { projectRoot } from '../../src/root.ts';
import { fixture } from '../support/came-back.ts';

const names = readdirSync(join(projectRoot, 'test/inbound/fixtures')).map((file) => file.replace('.eml', ''));
const servers = foreignBounces.map(({ server }) => server);

/** What nobody would write: single bytes changed, lines lost, moved or doubled, the end cut off. */
type Damage =
  | { kind: 'byte'; at: number; to: number }
  | { kind: 'lose' | 'double'; at: number }
  | { kind: 'swap'; at: number; with: number }
  | { kind: 'cut'; at: number }
  | { kind: 'insert'; at: number; line: string };

const place = fc.nat({ max: 10_000 });
const line = fc.oneof(
  fc.string({ maxLength: 120 }),
  fc.constantFrom(
    'Action: failed',
    'Action: delivered',
    'Action: delayed',
    'Status: 5.1.1',
    'Status: 4.4.1',
    'Status: 2.0.0',
    'Auto-Submitted: auto-replied',
    'Content-Type: multipart/report; report-type=delivery-status; boundary="x"',
    'Content-Type: message/delivery-status',
    '550 5.1.1 User unknown',
    '',
  ),
);
const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ kind: fc.constant('byte' as const), at: place, to: fc.nat({ max: 255 }) }),
  fc.record({ kind: fc.constantFrom('lose' as const, 'double' as const), at: place }),
  fc.record({ kind: fc.constant('swap' as const), at: place, with: place }),
  fc.record({ kind: fc.constant('cut' as const), at: place }),
  fc.record({ kind: fc.constant('insert' as const), at: place, line }),
);

function damaged(raw: Buffer, damages: Damage[]): Buffer {
  let text = raw.toString('latin1');
  for (const one of damages) {
    if (one.kind === 'byte') {
      const at = one.at % text.length;
      text = text.slice(0, at) + String.fromCharCode(one.to) + text.slice(at + 1);
      continue;
    }
    const lines = text.split('\r\n');
    const at = one.at % lines.length;
    if (one.kind === 'lose') lines.splice(at, 1);
    if (one.kind === 'double') lines.splice(at, 0, lines[at] ?? '');
    if (one.kind === 'insert') lines.splice(at, 0, one.line);
    if (one.kind === 'cut') lines.length = Math.max(1, at);
    if (one.kind === 'swap') {
      const other = one.with % lines.length;
      [lines[at], lines[other]] = [lines[other] ?? '', lines[at] ?? ''];
    }
    text = lines.join('\r\n') || ' ';
  }
  return Buffer.from(text, 'latin1');
}

async function judge(raw: Buffer, nullSender: boolean): Promise<Verdict | undefined> {
  expect(digestOf(raw)).toHaveLength(32);
  const mail = await readMail(raw);
  return mail && classify(mail, { nullSender });
}

/** A hard failure must stand in the mail itself, or be one of the bounces whose form we know. */
function expectFounded(verdict: Verdict | undefined, raw: Buffer): void {
  if (verdict?.kind !== 'report') return;
  const text = raw.toString('latin1');
  if (verdict.hard) {
    expect(verdict.action).toBe('failed');
    expect(verdict.status).toMatch(/^5\./);
    if (verdict.rule === 'delivery report') {
      expect(text).toMatch(/^action[ \t]*:\s*failed/im);
      expect(text).toMatch(/^status[ \t]*:\s*5\.\d/im);
    } else expect(servers).toContain(verdict.rule);
  }
  expect(verdict.response ?? '').not.toMatch(/@[a-z]/i);
  expect((verdict.response ?? '').length).toBeLessThanOrEqual(500);
  expect(verdict.response?.isWellFormed() ?? true).toBe(true);
  expect(verdict.response ?? '').not.toMatch(/[\x00-\x1f\x7f]/);
}

describe('what a stranger may send', () => {
  it('is never too strange: any bytes are read, or left to a person', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 3000 }), fc.boolean(), async (bytes, nullSender) => {
        const raw = Buffer.from(bytes);
        expectFounded(await judge(raw, nullSender), raw);
      }),
      { numRuns: 300 },
    );
  });

  it('is never a hard failure unless it says so, however a mail is damaged', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        fc.array(damage, { maxLength: 12 }),
        fc.boolean(),
        async (name, damages, nullSender) => {
          const raw = damaged(fixture(name), damages);
          expectFounded(await judge(raw, nullSender), raw);
        },
      ),
      { numRuns: 1500 },
    );
  });

  it('is never a report when it is an automatic reply, whatever is written into it', async () => {
    const replies = names.filter((name) => /vacation|reply|ticket|disposition/.test(name));
    expect(replies.length).toBeGreaterThan(8);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...replies),
        fc.array(fc.record({ at: place, line: line.filter((text) => !/^Content-Type/.test(text)) }), {
          maxLength: 12,
        }),
        fc.boolean(),
        async (name, insertions, nullSender) => {
          const raw = damaged(
            fixture(name),
            insertions.map((one) => ({ kind: 'insert' as const, ...one })),
          );
          expect((await judge(raw, nullSender))?.kind).not.toBe('report');
        },
      ),
      { numRuns: 600 },
    );
  });
});
