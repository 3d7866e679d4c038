import type { Config } from '../config.ts';
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
  /** Aborted by Ctrl-C and the like: what takes long stops, and leaves nothing half-made behind. */
  interrupted: AbortSignal;
};

/** A command for the people who run an instance: `npm run NAME -- …`. */
export type Command = About &
  (
    | {
        /** @returns the status that the process ends with; none: 0 */
        run(context: Context, surroundings: Surroundings): Promise<number | undefined>;
      }
    | {
        /** The same for a command that works on the data folder while nothing runs on it. */
        runAlone(config: Config, surroundings: Surroundings): Promise<number | undefined>;
      }
  );

type About = {
  usage: string;
  /** The status that tells of a failure; 1 where nothing else is said. */
  failure?: number;
  /** It is about the embedded database, not about one at DATABASE_URL. */
  embeddedOnly?: boolean;
};
