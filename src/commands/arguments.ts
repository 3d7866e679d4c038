import { ExpectedError } from '../expected.ts';
import type { Command } from './command.ts';

/** @throws ExpectedError with how the command is used */
export function misused({ usage }: Pick<Command, 'usage'>): never {
  throw new ExpectedError(`Usage:\n${usage}`);
}

/** An id as the lists print it. Undefined when it can be none. */
export function readId(text: string | undefined): string | undefined {
  return /^[1-9]\d{0,17}$/.exec(text ?? '')?.[0];
}
