import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import pg from 'pg';
import { z } from 'zod';
import { ExpectedError } from '../../src/expected.ts';
import { describeError } from '../../src/log.ts';
import { cloneDatabase } from '../support/database.ts';

const planted = 'Qazimund Veltharoo';
const address = 'qorvath.planted@mail.example';
const written = (error: unknown) => JSON.stringify(describeError(error));

describe('an error in the log', () => {
  it.each([
    `invalid input syntax for type bigint: "${planted}"`,
    `Key (address)=(${planted}) already exists.`,
    `550 5.1.1 <${planted}>: Recipient address rejected`,
    `550 5.1.1 ${address}: Recipient address rejected`,
    `No recipients defined: ${address}`,
    `Unexpected token 'Q', "${planted}" is not valid JSON`,
    `can't open '${planted}', and it's not there`,
    `"a" and then "${planted} "b" c"`,
    `it was “${planted}”`,
    `er war „${planted}“`,
    `c'était « ${planted} »`,
    `cannot read \`${planted}\``,
    `"${planted} `.padEnd(400, 'x'),
    `${'x'.repeat(295)}"${planted}"`,
    `first line\n    at ${planted}\n    at ${address}`,
  ])('does not say what a library quoted: %j', (message) => {
    const error = new Error(message);
    expect(written(error)).not.toContain(planted);
    expect(written(error)).not.toContain(address);
  });

  it('does not say what was between quotes, whatever it was', () => {
    const secret = fc.string({ unit: 'grapheme', minLength: 1 }).map((text) => `§${text}§`);
    fc.assert(
      fc.property(secret, fc.constantFrom('""', '<>', '“”', '``'), (text, [open = '', close = '']) => {
        expect(describeError(new Error(`before ${open}${text}${close} after`)).message).not.toContain('§');
      }),
    );
  });

  it('does not carry along what else hangs on it: details, causes, rows', () => {
    const error = Object.assign(new Error('failed', { cause: new Error(planted) }), {
      detail: planted,
      where: address,
      row: { name: planted },
      issues: [planted],
    });
    expect(Object.keys(describeError(error)).sort()).toEqual(['code', 'message', 'stack', 'type']);
    expect(written(error)).not.toContain('Qazimund');
  });

  it.each([planted, { name: planted }, [planted], null, undefined, 42])(
    'is told by its kind only, when it is no error: %j',
    (thrown) => {
      expect(describeError(thrown)).toEqual({ type: typeof thrown });
    },
  );

  it('still says what happened and where', () => {
    const error = Object.assign(new RangeError('the queue is away'), { code: 'ECONNREFUSED' });
    expect(describeError(error)).toMatchObject({
      type: 'RangeError',
      code: 'ECONNREFUSED',
      message: 'the queue is away',
    });
    expect(describeError(error).stack).toEqual(
      expect.arrayContaining([expect.stringMatching(/^at .*log\.test\.ts:\d+:\d+/)]),
    );
  });

  it('says in full what we wrote ourselves for people to read', () => {
    const message = 'Port 80 may not be used by this user. Set "PORT" to one above 1023.';
    expect(describeError(new ExpectedError(message)).message).toBe(message);
  });

  it('does not tell what PostgreSQL and zod say of the values that they refuse', async () => {
    const clone = await cloneDatabase();
    const client = new pg.Client({ connectionString: clone.url });
    await client.connect();
    const statements = [
      `select '${planted}'::bigint`,
      `select "${planted}"`,
      `insert into brand (slug, name) values ('${planted}', 'x')`,
      `insert into brand (slug, name) values ('same', '${planted}'), ('same', '${planted}')`,
      `select '${planted}'::letter_state`,
      `select jsonb '{${planted}'`,
      `do $$ begin raise exception '%', '"${planted}"'; end $$`,
    ];
    for (const statement of statements) {
      const error = await client.query(statement).then(
        () => undefined,
        (reason) => reason,
      );
      expect(error).toBeInstanceOf(Error);
      expect(written(error)).not.toContain(planted);
    }
    await client.end();
    await clone.drop();

    const { error } = z.object({ a: z.enum(['x']), b: z.number() }).safeParse({ a: planted, b: planted });
    expect(error).toBeDefined();
    expect(written(error)).not.toContain(planted);
  });
});
