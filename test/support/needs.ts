import { describe, it } from '@jest/globals';
import { findProgram } from './programs.ts';

/**
 * A suite that needs a program which the project does not install. Without it the suite is skipped, and says
 * so on the terminal; with CI=true that is a failure, so that no suite can be missing unnoticed.
 *
 * @param root the program must be started by root
 */
export function describeWith(
  program: string,
  title: string,
  suite: (path: string) => void,
  { root = false } = {},
): void {
  const may = !root || process.getuid?.() === 0;
  const path = may ? findProgram(program) : undefined;
  if (path) {
    describe(title, () => suite(path));
    return;
  }
  if (process.env.CI === 'true') {
    describe(title, () => {
      it(`has ${program}, which CI must install`, () => {
        const problem = may ? 'was not found' : 'must be started by root';
        throw new Error(`${program} ${problem}, and with CI=true no suite may be skipped`);
      });
    });
    return;
  }
  process.stderr.write(
    `\n*** SKIPPED: "${title}" needs ${program}, which ${may ? 'this machine does not have' : 'only root can start'}. ***\n\n`,
  );
  describe.skip(title, () => suite(''));
}
