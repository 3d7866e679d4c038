import { type ParseArgsConfig, parseArgs } from 'node:util';

/**
 * The options that a program was started with. What cannot be understood ends it with status 1, one line that
 * says why, and one that says how it is used. `--help` ends it as well, with that line alone.
 */
export function readOptions<Options extends NonNullable<ParseArgsConfig['options']>>(
  usage: string,
  options: Options,
) {
  if (process.argv.includes('--help')) {
    process.stdout.write(`Usage: ${usage}\n`);
    process.exit(0);
  }
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    const [why] = (error as Error).message.split('\n');
    process.stderr.write(`${why}\nUsage: ${usage}\n`);
    process.exit(1);
  }
}
