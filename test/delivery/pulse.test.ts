import { expect, it } from '@jest/globals';
import { createPulse } from '../../workers/pulse.ts';
import { until } from '../support/advocate.ts';
import { gate } from '../support/letters.ts';

it('quiet is how long nobody answered: what only we had a word in, or what failed, is no answer', async () => {
  const pulse = createPulse();
  const ask = pulse.of(
    async (say: () => string | Promise<string>) => say(),
    (said) => said !== 'ours',
  );
  expect([pulse.underWay(), pulse.quietFor()]).toEqual([0, 0]);
  const held = gate();
  const silent = ask(() => held.opened.then(() => 'theirs'));
  await until(async () => pulse.quietFor() > 100, 'a silence');

  await ask(() => 'ours');
  await ask(() => Promise.reject(new Error('cut off'))).catch(() => {});
  expect(pulse.quietFor()).toBeGreaterThan(100);
  expect(pulse.underWay()).toBe(1);
  await until(async () => (await ask(() => 'theirs')) && pulse.quietFor() < 100, 'an answer that counts');

  held.open();
  await silent;
  expect([pulse.underWay(), pulse.quietFor()]).toEqual([0, 0]);
});
