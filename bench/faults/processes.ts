import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { readProcesses } from '../cpu.ts';

/** A program of ours as a process of its own. */
export type Program = {
  pid: number;
  /** Its next line on stdout; throws when it ended instead. */
  line(): Promise<string>;
  /** Resolves when it has ended, however that came. */
  ended: Promise<void>;
  isAlive(): boolean;
  signal(name: NodeJS.Signals): void;
};

/**
 * @param script path from this folder, without its ending
 * @param onLog is given every line that it writes to stderr
 */
export function runProgram(
  script: string,
  args: string[],
  environment: Record<string, string>,
  onLog: (line: string) => void,
): Program {
  const child: ChildProcess = spawn(
    process.execPath,
    [fileURLToPath(new URL(`${script}.js`, import.meta.url)), ...args],
    { env: { PATH: process.env.PATH, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let alive = true;
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      alive = false;
      resolve();
    });
  });
  createInterface({ input: child.stderr as NodeJS.ReadableStream }).on('line', onLog);
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  return {
    pid: child.pid as number,
    ended,
    isAlive: () => alive,
    signal: (name) => {
      if (alive) child.kill(name);
    },
    async line() {
      const { value, done } = await lines.next();
      if (done) throw new Error(`${script} ended too early`);
      return value;
    },
  };
}

/** The processes that a process has started; none where there is no /proc. */
export function childrenOf(parent: number): number[] {
  try {
    return readProcesses()
      .filter((one) => one.parent === parent)
      .map(({ pid }) => pid);
  } catch {
    return [];
  }
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
