import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { liftHold, readStanding, startHold } from '../../src/hold/hold.ts';
import { type Instance, startInstance } from '../support/instance.ts';

let instance: Instance;
beforeAll(async () => {
  instance = await startInstance({ roles: ['web'] });
});
afterAll(() => instance.close());

describe('a hold that begins twice', () => {
  it('keeps its first reason and the highest mark that was seen outside, and ends above that', async () => {
    const { database } = instance.context;
    const seen = 7_000_000;
    await startHold(database, 'older', seen);
    const before = await readStanding(database);
    await startHold(database, 'asked', 3);
    expect(await readStanding(database)).toEqual(before);
    expect(before).toMatchObject({ hold: { because: 'older' }, outside: seen });
    expect(await liftHold(database, 3)).toBeGreaterThan(seen);
    expect((await readStanding(database)).hold).toBeUndefined();
    expect(await liftHold(database, 3)).toBeUndefined();
  });
});
