import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config, Role } from '../../src/config.ts';
import { type Context, createContext } from '../../src/context.ts';
import { statement } from '../../src/db/database.ts';
import type { InboundLimits } from '../../src/inbound/limits.ts';
import { startInbound } from '../../src/inbound/listener.ts';
import { createLog } from '../../src/log.ts';
import { startWeb } from '../../src/web/server.ts';
import { startWorker } from '../../workers/worker.ts';
import { cloneDatabase } from './database.ts';
import { freshMasterKey } from './keys.ts';
import { Visitor } from './visitor.ts';

export type Instance = {
  context: Context;
  url: string;
  /** Where mail that comes back is taken, with the role inbound. */
  inboundPort: number;
  /** A new browser without cookies. */
  visitor(): Visitor;
  /** Rows of any query, for looking behind the scenes. */
  query<Row = Record<string, unknown>>(text: string, values?: unknown[]): Promise<Row[]>;
  startWorker(): Promise<{ close(): Promise<void> }>;
  close(): Promise<void>;
};

type Options = {
  roles?: Role[];
  redisUrl?: string;
  smtpUrl?: string;
  databaseUrl?: string;
  settings?: Partial<Config>;
  inboundLimits?: InboundLimits;
  /** A folder with other texts than ours. */
  localeFolder?: string;
};

/**
 * The real application in this process: real database (a clone), real queue, real HTTP. Without `smtpUrl` its
 * mail goes to the built-in catcher.
 */
export async function startInstance({
  roles = ['web', 'worker'],
  redisUrl,
  smtpUrl,
  databaseUrl,
  settings,
  inboundLimits,
  localeFolder,
}: Options = {}): Promise<Instance> {
  const dataDir = await mkdtemp(join(tmpdir(), 'outspoken-instance-'));
  const clone = databaseUrl ? undefined : await cloneDatabase();
  const config: Config = {
    roles,
    port: 0,
    host: '127.0.0.1',
    dataDir,
    databaseUrl: databaseUrl ?? clone?.url,
    redisUrl,
    smtpUrl,
    appKeys: [freshMasterKey()],
    mailDomain: 'outspoken.example',
    inboundPort: 0,
    inboundHost: '127.0.0.1',
    mailRecipients: ['*'],
    trustProxy: 0,
    logLevel: process.env.TEST_LOG_LEVEL ?? 'silent',
    seed: true,
    ...settings,
  };
  const context = await createContext(config, createLog(config.logLevel), localeFolder);
  const running: { close(): Promise<void> }[] = [];
  if (roles.includes('web')) running.push(await startWeb(context));
  if (roles.includes('worker')) running.push(await startWorker(context));
  const inbound = roles.includes('inbound') ? await startInbound(context, inboundLimits) : undefined;
  if (inbound) running.push(inbound);
  return {
    context,
    url: context.site.url,
    inboundPort: Number(inbound?.address.split(':').at(-1) ?? 0),
    visitor: () => new Visitor(context.site.url),
    query: (text, values) => context.database.rows(statement(text), values) as Promise<never[]>,
    async startWorker() {
      const worker = await startWorker(context);
      running.push(worker);
      return worker;
    },
    async close() {
      for (const part of running.reverse()) await part.close();
      await context.close();
      await clone?.drop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
