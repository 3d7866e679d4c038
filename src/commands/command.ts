import type { Context } from '../context.ts';

/** What a command may use, beside the instance. */
export type Surroundings = {
  /** What follows the command's name. */
  args: string[];
  /** Prints a line. */
  say(line: string): void;
  /** Prints bytes as they are. */
  print(bytes: Buffer): void;
  /** Reads standard input to its end. */
  input(): Promise<Buffer>;
};

/** A command for the people who run an instance: `npm run NAME -- …`. */
export type Command = {
  usage: string;
  /** The status that tells of a failure; 1 where nothing else is said. */
  failure?: number;
  /** @returns the status that the process ends with; none: 0 */
  run(context: Context, surroundings: Surroundings): Promise<number | undefined>;
};
