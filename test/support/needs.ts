import { describe, it } from '@jest/globals';
import { findProgram } from './programs.ts';

/**
 * A suite that needs a program which the project does not install. Without it the suite is skipped, and says
 * so on the terminal; with CI=true that is a failure, so that no suite can be missing unnoticed.
 */
export function describeWith(program: string, title: string, suite: (path: string) => void): void {
  const path = findProgram(program);
  if (path) {
    describe(title, () => suite(path));
    return;
  }
  if (process.env.CI === 'true') {
    describe(title, () => {
      it(`has ${program}, which CI must install`, () => {
        throw new Error(`${program} was not found, and with CI=true no suite may be skipped`);
      });
    });
    return;
  }
  process.stderr.write(
    `\n*** SKIPPED: "${title}" needs ${program}, which this machine does not have. ***\n\n`,
  );
  describe.skip(title, () => suite(''));
}
