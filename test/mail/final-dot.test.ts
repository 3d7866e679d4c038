import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { withFinalDot } from '../../src/mail/final-dot.ts';
import { createMailer, type Mailer } from '../../src/mail/mailer.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

/** Bytes that are mostly what could go wrong. */
const awkward = fc
  .array(fc.constantFrom('\r', '\n', '.', '\r\n', '\r\n.', '\n.\n', '\r.\r', 'a', 'é', '\0', '\r\n.\r\n'), {
    maxLength: 60,
  })
  .map((pieces) => Buffer.from(pieces.join(''), 'latin1'));

/** What a reader of the message gets: every break is CRLF, and the last line has one. */
const canonical = (bytes: Buffer) => {
  const text = bytes.toString('latin1').replace(/\r\n|\r|\n/g, '\r\n');
  return text.endsWith('\r\n') ? text : `${text}\r\n`;
};

let smtp: TestSmtp;
let mailer: Mailer;
beforeAll(async () => {
  smtp = await startSmtp();
  mailer = createMailer({ url: smtp.url });
});
afterAll(async () => {
  await mailer.close();
  await smtp.close();
});

describe('what stands between DATA and its reply (RFC 5321 section 4.5.2)', () => {
  it('ends with the only line that is a dot, under every reading of a line break', () => {
    fc.assert(
      fc.property(awkward, (bytes) => {
        const wire = withFinalDot(bytes.toString('latin1'));
        const end = wire.length - 3;
        expect(wire.slice(end - 2)).toBe('\r\n.\r\n');
        for (const lone of [/\r\n\.\r\n/g, /(^|\r|\n)\.(\r|\n)/g]) {
          const found = [...wire.matchAll(lone)].map((match) => match.index + match[0].indexOf('.'));
          expect(found).toEqual([end]);
        }
        expect(wire).not.toMatch(/\r(?!\n)|(?<!\r)\n/);
      }),
    );
  });

  it('arrives at a real server as it was meant, and as one message', async () => {
    await fc.assert(
      fc.asyncProperty(awkward, async (bytes) => {
        const before = smtp.accepted.length;
        const { kind } = await mailer.send({ from: 'b.1@outspoken.example', to: 'a@hm.example' }, bytes);
        expect(kind).toBe('accepted');
        expect(smtp.accepted).toHaveLength(before + 1);
        expect(smtp.accepted.at(-1)?.raw.toString('latin1')).toBe(canonical(bytes));
      }),
      { numRuns: 200 },
    );
  });
});
