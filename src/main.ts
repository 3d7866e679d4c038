import { type Config, isLoopback, type Role, readConfig } from './config.ts';
import { type Context, createContext } from './context.ts';
import { unreachable } from './db/usable.ts';
import { ExpectedError } from './expected.ts';
import { readStanding, reasons, type Standing, whatToDo } from './hold/hold.ts';
import { createLog, type Logger } from './log.ts';
import { readOptions } from './options.ts';

type Running = { close(): Promise<void> /** Where it listens, for the ready line. */; address?: string };

/** What each role starts. The order is that of starting; stopping goes the other way round. */
const start: Record<Role, (context: Context) => Promise<Running>> = {
  web: async (context) => (await import('./web/server.ts')).startWeb(context),
  worker: async (context) => (await import('../workers/worker.ts')).startWorker(context),
  inbound: async (context) => (await import('./inbound/listener.ts')).startInbound(context),
};

/** How long a stop may take before it is forced, in milliseconds: one slow mail server must not hold it up. */
const patience = 25_000;

async function main(): Promise<void> {
  const config = readConfig(process.env, readRoles());
  const log = createLog(config.logLevel);
  const asked = waitForSignal();
  const surprised = waitForSurprise();
  process.stdout.on('error', () => {}); // nobody reads what we say, or its disk is full: letters go on
  const context = await createContext(config, log);
  const running: Running[] = [];
  try {
    for (const role of Object.keys(start) as Role[]) {
      if (config.roles.includes(role)) running.push(await startRole(role, context));
    }
    say(
      `Outspoken is ready${config.roles.includes('web') ? `: ${context.site.url}/` : ''}${hintsFor(config, context, running)}`,
    );
    if (config.roles.includes('worker')) {
      warnOfGuard(config.mailRecipients);
      await readStanding(context.database).then(warnOfHold, () => {}); // a database that is away is told in the log
    }
    await Promise.race([asked, surprised, context.lost.then(databaseLost)]);
    say('Outspoken is stopping: letters in flight are finished first.');
  } finally {
    await stop(running, context, log);
  }
  say('Outspoken has stopped.');
}

/** A database that goes away while we start is no surprise. */
async function startRole(role: Role, context: Context): Promise<Running> {
  try {
    return await start[role](context);
  } catch (error) {
    throw context.config.databaseUrl ? unreachable(error) : error;
  }
}

function readRoles(): string[] {
  const { role } = readOptions('npm start [-- --role web|worker|inbound]', {
    role: { type: 'string', multiple: true },
  });
  return (role ?? []).flatMap((names) => names.split(','));
}

function hintsFor(config: Config, context: Context, running: Running[]): string {
  const isForHere = isLoopback(new URL(context.site.url).hostname); // the catcher's pages are for nobody else
  const parts = [
    ...(context.catcher && config.roles.includes('web') && isForHere
      ? [`mail: ${context.site.url}/mail`]
      : []),
    ...running.flatMap(({ address }) => (address ? [`inbound: ${address}`] : [])),
    ...(config.databaseUrl ? [] : [`data: ${config.dataDir}`]),
    ...(config.roles.includes('web') ? [] : [`role: ${config.roles.join(', ')}`]),
  ];
  return parts.length > 0 ? `  (${parts.join(', ')})` : '';
}

function warnOfGuard(recipients: string[]): void {
  if (recipients.includes('*')) return;
  say(
    recipients.length > 0
      ? 'Mail goes only to the addresses and domains of MAIL_RECIPIENTS; everything else waits, for five days.'
      : 'No mail is sent: MAIL_RECIPIENTS is empty, so everything waits, for five days. Set it to * to write to everybody, or to a list of addresses and domains.',
  );
}

function warnOfHold({ hold }: Standing): void {
  if (hold) say(`Sending is on hold: ${reasons[hold.because]}. ${whatToDo}`);
}

function waitForSignal(): Promise<void> {
  return new Promise((resolve) => {
    // SIGHUP: the terminal was closed, and the embedded database would go on without us
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve());
  });
}

/** An error that nobody caught ends the process, but in order: the embedded database must not be left behind. */
function waitForSurprise(): Promise<never> {
  const surprised = new Promise<never>((_resolve, reject) => {
    process.on('uncaughtException', reject);
  });
  surprised.catch(() => {}); // it may come before anybody waits for it
  return surprised;
}

function databaseLost(): never {
  throw new ExpectedError('The embedded PostgreSQL ended by itself. Start Outspoken again.');
}

async function stop(running: Running[], context: Context, log: Logger): Promise<void> {
  const force = setTimeout(() => {
    log.error('stopping took too long and is forced; letters in flight become unknown');
    void context.close().finally(() => process.exit(1));
  }, patience);
  for (const role of running.reverse()) {
    // the others have to end nevertheless, and the embedded database above all
    await role.close().catch((error) => log.error({ err: error }, 'a role did not end in order'));
  }
  await context.close();
  clearTimeout(force);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

main()
  .catch((error) => {
    if (error instanceof ExpectedError) process.stderr.write(`${error.message}\n`);
    else createLog('info').fatal({ err: error }, 'Outspoken ended because of a surprise');
    process.exitCode = 1;
  })
  // all is closed, but BullMQ keeps its timers for ever when Redis ends in the same moment as we do
  .finally(() => process.exit());
