import { readdirSync, readFileSync } from 'node:fs';

/** The processes that this one started and that run a program of this name, by /proc (proc(5)). */
export function childrenRunning(name: string, parent = process.pid): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => {
      const stat = read(pid, 'stat');
      const parentOfIt = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1];
      return Number(parentOfIt) === parent && read(pid, 'cmdline').includes(name);
    });
}

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
