import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Command } from '../../src/commands/command.ts';
import { ExpectedError } from '../../src/expected.ts';
import { projectRoot } from '../../src/root.ts';
import type { Instance } from './instance.ts';

export type Ran = { status: number; out: string; err: string };

/** Runs a command of this program in this process, beside an instance. */
export async function runHere(instance: Instance, command: Command, ...args: string[]): Promise<Ran> {
  const ran: Ran = { status: 0, out: '', err: '' };
  if (!('run' in command)) throw new Error('it does not work beside an instance');
  try {
    const status = await command.run(instance.context, {
      args,
      say: (line) => {
        ran.out += `${line}\n`;
      },
      print: (bytes) => {
        ran.out += bytes.toString('latin1');
      },
      input: async () => Buffer.alloc(0),
      interrupted: new AbortController().signal,
    });
    ran.status = status ?? 0;
  } catch (error) {
    if (!(error instanceof ExpectedError)) throw error;
    ran.status = command.failure ?? 1;
    ran.err = error.message;
  }
  return ran;
}

/** Runs a command as one starts it: the built program, in a process of its own. */
export async function runProgram(
  args: string[],
  { env, input = '' }: { env: Record<string, string | undefined>; input?: Buffer | string },
): Promise<Ran> {
  const child = spawn(process.execPath, [join(projectRoot, 'dist/src/commands/main.js'), ...args], {
    env: { PATH: process.env.PATH, LOG_LEVEL: 'warn', ...env },
  });
  const ran: Ran = { status: -1, out: '', err: '' };
  child.stdout.on('data', (chunk) => {
    ran.out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    ran.err += chunk;
  });
  child.stdin.on('error', () => {}); // it may end before it has read everything
  child.stdin.end(input);
  ran.status = await new Promise((resolve) => child.once('close', (status) => resolve(status ?? -1)));
  return ran;
}
