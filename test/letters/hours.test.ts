import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import pg from 'pg';
import { cloneDatabase } from '../support/database.ts';

let clone: Awaited<ReturnType<typeof cloneDatabase>>;
let client: pg.Client;
beforeAll(async () => {
  clone = await cloneDatabase();
  client = new pg.Client({ connectionString: clone.url });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await clone.drop();
});

type Hours = { from: string; until: string; zone: string };

async function within(moment: Date, { from, until, zone }: Hours): Promise<boolean> {
  const { rows } = await client.query('select is_within_hours($1, $2, $3, $4) as yes', [
    moment,
    from,
    until,
    zone,
  ]);
  return rows[0].yes;
}

const setHours = async (column: string, value: string | null, more = '') => {
  await client.query('begin');
  try {
    await client.query("insert into brand (slug, name) values ('a', 'A')");
    await client.query(
      "insert into contact (brand_id, kind, address) select id, 'email', 'a@a.example' from brand",
    );
    await client.query(`update contact set ${column} = $1 ${more}`, [value]);
  } finally {
    await client.query('rollback');
  }
};

describe("a contact's hours", () => {
  const zones = [
    ...['UTC', 'Europe/Stockholm', 'America/New_York', 'America/St_Johns', 'Asia/Phnom_Penh'],
    ...['Asia/Kathmandu', 'Australia/Lord_Howe', 'Pacific/Kiritimati'],
  ];
  const time = fc
    .integer({ min: 0, max: 24 * 60 - 1 })
    .map((m) => `${String(Math.floor(m / 60)).padStart(2, '0')}:${String(m % 60).padStart(2, '0')}`);
  const hours = fc
    .record({ from: time, until: time, zone: fc.constantFrom(...zones) })
    .filter(({ from, until }) => from !== until);
  const moment = fc.date({ min: new Date('2024-01-01'), max: new Date('2026-12-31'), noInvalidDate: true });

  it('are those on the clocks of its time zone, as another calendar reckons them', async () => {
    await fc.assert(
      fc.asyncProperty(moment, hours, async (at, { from, until, zone }) => {
        const clock = new Intl.DateTimeFormat('en-GB', {
          ...{ timeZone: zone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
        }).format(at);
        const expected = from < until ? from <= clock && clock < until : from <= clock || clock < until;
        expect(await within(at, { from, until, zone })).toBe(expected);
      }),
      { numRuns: 400 },
    );
  });

  it('follow the clocks when they change', async () => {
    const office = { from: '09:00', until: '17:00', zone: 'Europe/Stockholm' };
    expect(await within(new Date('2026-03-28T07:59:59Z'), office)).toBe(false);
    expect(await within(new Date('2026-03-28T08:00:00Z'), office)).toBe(true);
    expect(await within(new Date('2026-03-30T06:59:59Z'), office)).toBe(false);
    expect(await within(new Date('2026-03-30T07:00:00Z'), office)).toBe(true);
    expect(await within(new Date('2026-03-30T15:00:00Z'), office)).toBe(false);
  });

  it('are all day where none are set', async () => {
    const { rows } = await client.query("select is_within_hours(now(), null, null, 'UTC') as yes");
    expect(rows[0].yes).toBe(true);
  });

  it.each([
    ['a time zone that does not exist', 'time_zone', 'Europe/Atlantis', ''],
    ['an abbreviation that is no IANA name', 'time_zone', 'CEST', ''],
    ['a beginning without an end', 'sends_from', '09:00', ''],
    ['hours that end when they begin', 'sends_from', '09:00', ", sends_until = '09:00'"],
  ])('are refused with %s', async (_title, column, value, more) => {
    await expect(setHours(column, value, more)).rejects.toMatchObject({ code: '23514' });
  });

  it.each([
    ['time_zone', 'Asia/Phnom_Penh', ''],
    ['sends_from', '22:00', ", sends_until = '06:00', time_zone = 'America/New_York'"],
  ])('may be set: %s = %s%s', async (column, value, more) => {
    await setHours(column, value, more);
  });
});
