import { readFileSync } from 'node:fs';
import { childrenOf } from '../../bench/faults/processes.ts';

/** The processes that this one started and that run a program of this name, by /proc (proc(5)). */
export const childrenRunning = (name: string): number[] =>
  childrenOf(process.pid).filter((pid) => read(pid, 'cmdline').includes(name));

/** The names of the variables that a process was started with. */
export const variablesOf = (pid: number): string[] =>
  read(pid, 'environ')
    .split('\0')
    .filter(Boolean)
    .map((one) => one.slice(0, one.indexOf('=')));

/** The most memory that a process had at a time, in megabytes. */
export const mostMemoryOf = (pid: number): number =>
  Number(/VmHWM:\s*(\d+)/.exec(read(pid, 'status'))?.[1]) / 1024;

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return ''; // it ended meanwhile
  }
}
