import { appendFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from '../../bench/free-port.ts';
import { startPostgres } from '../../src/embedded/postgres.ts';
import { type Program, startProgram } from './program.ts';
import { type RecordingProxy, startRecordingProxy } from './recording-proxy.ts';
import type { TestSmtp } from './smtp.ts';
import { Visitor } from './visitor.ts';

/** The program in a process of its own, and everything around it that can be read afterwards. */
export type Stage = {
  program: Program;
  /** In front of its pages. */
  proxy: RecordingProxy;
  smtp: TestSmtp;
  visitor: Visitor;
  /** A way into its database that is not the program's. */
  client: pg.Client;
  inboundPort: number;
  close(): Promise<void>;
};

/**
 * The embedded default under `folder`, but with a real mail server and, if one is given, a real Redis; its log is
 * at its most talkative, and PostgreSQL keeps its own in a file.
 */
export async function setStage(folder: string, smtp: TestSmtp, redisUrl?: string): Promise<Stage> {
  const postgres = await startPostgres(folder);
  await postgres.close();
  await appendFile(
    join(folder, 'postgres/postgresql.auto.conf'),
    "logging_collector = on\nlog_directory = 'log'\nlog_filename = 'server.log'\n",
  );
  const [port, inboundPort] = [await freePort(), await freePort()];
  const program = await startProgram({
    DATA_DIR: folder,
    PORT: String(port),
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    INBOUND_PORT: String(inboundPort),
    MAIL_DOMAIN: 'outspoken.example',
    MAIL_RECIPIENTS: '*',
    SMTP_URL: smtp.url,
    REDIS_URL: redisUrl,
    TRUST_PROXY: '1',
    LOG_LEVEL: 'debug',
  });
  const proxy = await startRecordingProxy(`http://127.0.0.1:${port}`);
  const client = new pg.Client({ connectionString: await urlOf(folder) });
  client.on('error', () => {});
  await client.connect();
  return {
    program,
    proxy,
    smtp,
    visitor: new Visitor(proxy.url),
    client,
    inboundPort,
    async close() {
      await client.end();
      await proxy.close();
      await program.stop();
    },
  };
}

/** How to reach the embedded server from outside: its socket's folder stands in its pid file (PostgreSQL, miscadmin.h). */
async function urlOf(folder: string): Promise<string> {
  const lines = (await readFile(join(folder, 'postgres/postmaster.pid'), 'utf8')).split('\n');
  const password = await readFile(join(folder, 'postgres-password'), 'utf8');
  return `postgres://outspoken:${password}@/postgres?host=${encodeURIComponent(lines[4] ?? '')}`;
}
