import { type Program, pause, runProgram } from './processes.ts';

export type WorkerProcess = {
  /** What it calls itself in PostgreSQL, so that its connections are known. */
  name: string;
  program: Program;
  /** Its id in the table of workers, once it is ready. */
  id?: number;
};

/** Worker roles as separate processes, each of which is started again when it has ended. */
export type Workers = {
  alive(): WorkerProcess[];
  /** SIGKILL. It is started again a moment later. */
  kill(worker: WorkerProcess): Promise<void>;
  /** How often one that was ready ended although nobody killed it. Nothing should do that. */
  surprises: string[];
  /** How often each line of level warn or above was logged. */
  said: Map<string, number>;
  stop(): Promise<void>;
};

type Options = {
  count: number;
  environment: Record<string, string>;
  databaseUrl: string;
  /** How long one stays away, in milliseconds. */
  rest: () => number;
};

export async function startWorkers({ count, environment, databaseUrl, rest }: Options): Promise<Workers> {
  const running = new Map<string, WorkerProcess>();
  /** Those that are not ready yet as well: whoever is not asked to stop goes on for ever. */
  const processes = new Set<Program>();
  const killed = new Set<number>();
  const surprises: string[] = [];
  const said = new Map<string, number>();
  let stopping = false;
  let started = 0;

  async function keepRunning(onReady: () => void): Promise<void> {
    while (!stopping) {
      started += 1;
      const name = `worker-${started}`;
      const worker: WorkerProcess = {
        name,
        program: runProgram(
          '../../src/main',
          ['--role', 'worker'],
          { ...environment, DATABASE_URL: `${databaseUrl}&application_name=${name}` },
          (line) => hear(worker, line),
        ),
      };
      processes.add(worker.program);
      const ready = await worker.program.line().catch(() => undefined);
      if (ready) {
        running.set(name, worker);
        onReady();
      } // else: it could not start while a server was away, and is started again as any supervisor would
      await worker.program.ended;
      running.delete(name);
      processes.delete(worker.program);
      if (ready && !stopping && !killed.has(worker.program.pid)) surprises.push(name);
      if (!stopping) await pause(rest());
    }
  }
  function hear(worker: WorkerProcess, line: string): void {
    if (!line.startsWith('{')) {
      said.set(line, (said.get(line) ?? 0) + 1);
      return;
    }
    const { level, msg, worker: id, err } = JSON.parse(line);
    if (msg === 'the worker is running') worker.id = id;
    if (level < 40) return;
    const what = err ? `${msg} (${err.code ?? err.message})` : msg;
    said.set(what, (said.get(what) ?? 0) + 1);
  }

  const loops: Promise<void>[] = [];
  await Promise.all(
    Array.from({ length: count }, () => new Promise<void>((resolve) => loops.push(keepRunning(resolve)))),
  );
  return {
    alive: () => [...running.values()].filter(({ program }) => program.isAlive()),
    async kill({ program }) {
      killed.add(program.pid);
      program.signal('SIGKILL');
      await program.ended;
    },
    surprises,
    said,
    async stop() {
      stopping = true;
      for (const program of processes) program.signal('SIGTERM');
      await Promise.all(loops);
    },
  };
}
