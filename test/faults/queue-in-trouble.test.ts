import { expect, it, jest } from '@jest/globals';
import { pino } from 'pino';
import { complainOnceInAWhile } from '../../workers/queue.ts';

it('a queue in trouble is told once in ten seconds for each kind of trouble, so that none hides another', () => {
  const lines: string[] = [];
  const complain = complainOnceInAWhile(pino({ base: null }, { write: (line: string) => lines.push(line) }));
  const told = () => lines.splice(0).map((line) => JSON.parse(line).err.message);
  const now = jest.spyOn(performance, 'now').mockReturnValue(0);
  try {
    const away = new Error('connect ECONNREFUSED 127.0.0.1:6379');
    const mute = new Error('Query read timeout');
    for (const error of [away, away, mute, away, mute]) complain(error);
    expect(told()).toEqual([away.message, mute.message]);

    now.mockReturnValue(9999);
    complain(new Error('Missing lock for job j7. moveToFinished'));
    complain(new Error('Missing lock for job j12. moveToFinished'));
    complain(mute);
    expect(told()).toEqual(['Missing lock for job j7. moveToFinished']);

    now.mockReturnValue(10_000);
    complain(mute);
    expect(told()).toEqual([mute.message]);
  } finally {
    now.mockRestore();
  }
});
