import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import type { Owner } from '../../src/embedded/cluster.ts';
import { projectRoot } from '../../src/root.ts';
import { until } from './advocate.ts';
import type { Instance } from './instance.ts';
import { appKeyOf } from './keys.ts';

export type Ending = { code: number | null; signal: NodeJS.Signals | null };

/** A process of the built program, from its start to its end. */
export type Launched = {
  child: ChildProcess;
  pid: number;
  /** Everything that it wrote so far, to both streams. */
  said(): string;
  /** What it wrote to one of them. */
  out(): string;
  err(): string;
  /** Resolves when it has ended and everything that it wrote was read. */
  ended: Promise<Ending>;
  isOver(): boolean;
};

export type Program = Launched & {
  /** Where its pages are, if it has any. */
  url: string;
  /** Asks it to stop, and waits for the end. */
  stop(): Promise<number | null>;
};

type Options = {
  /** Below dist, without `.js`. */
  script?: string;
  args?: string[];
  /** File that takes what it writes to stderr. */
  log?: string;
  /** `pipe`: its standard input stays open. */
  input?: 'pipe' | 'ignore';
  /** Whom it runs as, if not as whoever runs the tests. */
  user?: Owner;
};

type Environment = Record<string, string | undefined>;

/** Starts the built program, with these variables and no others. */
export function launch(env: Environment, options: Options = {}): Launched {
  const { script = 'src/main', args = [], ...rest } = options;
  const file = join(projectRoot, 'dist', `${script}.js`);
  if (!existsSync(file)) throw new Error('there is no dist: npm run build');
  return start([process.execPath, file, ...args], env, rest);
}

/**
 * Runs a script of package.json as one types it, `npm run NAME -- ARGS`, but without building: that would write
 * into dist, which other tests run from at the same moment. It has a process group of its own, as in a terminal.
 */
export function launchNpm(name: string, env: Environment = {}, args: string[] = []): Launched {
  const quiet = { npm_config_update_notifier: 'false', npm_config_logs_max: '0' };
  return start(
    ['npm', 'run', '--silent', '--ignore-scripts', name, '--', ...args],
    { ...quiet, ...env },
    { detached: true },
  );
}

function start(
  [command = '', ...args]: string[],
  env: Environment,
  {
    detached = false,
    log,
    input = 'ignore',
    user = {},
  }: Pick<Options, 'log' | 'input' | 'user'> & { detached?: boolean },
): Launched {
  return watch(
    spawn(command, args, {
      ...user,
      env: { PATH: process.env.PATH, ...env },
      stdio: [input, 'pipe', log ? openSync(log, 'a') : 'pipe'],
      detached,
      cwd: projectRoot,
    }),
  );
}

/** Keeps what a process says, and when it ends. */
function watch(child: ChildProcess): Launched {
  const texts = { said: '', out: '', err: '' };
  for (const stream of ['out', 'err'] as const) {
    child[`std${stream}`]?.setEncoding('utf8').on('data', (chunk) => {
      texts[stream] += chunk;
      texts.said += chunk;
    });
  }
  const ended = new Promise<Ending>((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal })),
  );
  let over = false;
  void ended.then(() => {
    over = true;
  });
  return {
    child,
    pid: child.pid as number,
    said: () => texts.said,
    out: () => texts.out,
    err: () => texts.err,
    ended,
    isOver: () => over,
  };
}

/** The built program as `npm start` runs it, in a process of its own, once it says that it is ready. */
export async function startProgram(env: Environment, options: Options = {}): Promise<Program> {
  return whenReady(launch(env, options));
}

/** The same, for a process that was launched already. */
export async function whenReady(launched: Launched): Promise<Program> {
  const ready = () => /^Outspoken is ready(?:: (http:\S+?)\/?(?= |$))?/m.exec(launched.out());
  await until(async () => launched.isOver() || ready(), 'a program that is ready', 60_000);
  if (launched.isOver()) throw new Error(`the program ended: ${launched.said()}`);
  return {
    ...launched,
    url: ready()?.[1] ?? '',
    async stop() {
      launched.child.kill('SIGTERM');
      return (await launched.ended).code;
    },
  };
}

/** The variables with which a program works on the data of an instance of this process. */
export function variablesFor({ context }: Instance, smtpUrl: string): Environment {
  const { config, databaseUrl, site } = context;
  return {
    DATABASE_URL: databaseUrl,
    DATA_DIR: config.dataDir,
    REDIS_URL: config.redisUrl,
    APP_KEY: appKeyOf(config.appKeys ?? []),
    SMTP_URL: smtpUrl,
    PUBLIC_URL: site.url,
    MAIL_DOMAIN: config.mailDomain,
    MAIL_RECIPIENTS: '*',
    PORT: '0',
    LOG_LEVEL: 'warn',
  };
}
