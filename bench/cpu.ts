import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts processor time in hundredths of a second (proc(5), CLK_TCK). */
const tick = 10_000;

/**
 * Processor time that a process and its descendants have used, those included that have ended and were waited
 * for, in microseconds. Undefined where there is no /proc.
 */
export function cpuOfTree(root: number): number | undefined {
  try {
    const all = readProcesses();
    const family = new Set([root]);
    for (let grown = true; grown; ) {
      grown = false;
      for (const { pid, parent } of all) {
        if (family.has(parent) && !family.has(pid)) {
          family.add(pid);
          grown = true;
        }
      }
    }
    return all.filter(({ pid }) => family.has(pid)).reduce((sum, { ticks }) => sum + ticks * tick, 0);
  } catch {
    return undefined;
  }
}

/** A process, and the processor time that it and its children that have ended have used. */
type Process = { pid: number; parent: number; ticks: number };

/** All processes of this machine. @throws Error where there is no /proc */
export function readProcesses(): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readStat(Number(name)) ?? []);
}

function readStat(pid: number): Process | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const times = [11, 12, 13, 14].map((index) => Number(fields[index]));
    return { pid, parent: Number(fields[1]), ticks: times.reduce((sum, time) => sum + time, 0) };
  } catch {
    return undefined; // it ended meanwhile
  }
}
