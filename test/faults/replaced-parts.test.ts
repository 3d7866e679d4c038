import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { until } from '../support/advocate.ts';
import { type Cable, layCableTo } from '../support/cable.ts';
import { cloneDatabase } from '../support/database.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { type Program, startProgram, variablesFor } from '../support/program.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

/** Answers have to be missed first. */
const inTime = 120_000;

describe('the connections of a worker on PostgreSQL', () => {
  let database: Awaited<ReturnType<typeof cloneDatabase>>;
  let cable: Cable;
  let smtp: TestSmtp;
  let instance: Instance;
  let program: Program;
  beforeEach(async () => {
    database = await cloneDatabase();
    smtp = await startSmtp();
    instance = await startInstance({ roles: [], databaseUrl: database.url, smtpUrl: smtp.url });
    const laid = await layCableTo(database.url);
    cable = laid;
    const env = { ...variablesFor(instance, smtp.url), DATABASE_URL: laid.url };
    program = await startProgram(env, { args: ['--role', 'worker'] });
  }, 60_000);
  afterEach(async () => {
    await program.stop();
    await instance.close();
    await smtp.close();
    await cable.close();
    await database.drop();
  }, 90_000);

  /** Workers that wait for a job, by the process that serves each. */
  async function listening(): Promise<number[]> {
    const rows = await instance.query<{ pid: number }>(
      `select pid from pg_stat_activity where datname = current_database()
       and application_name in ('singles', 'bundles', 'notices', 'replies')`,
    );
    return rows.map(({ pid }) => pid);
  }

  const complaints = (words: string, about: string) =>
    program
      .err()
      .split('\n')
      .filter((line) => line.includes(words) && line.includes(about)).length;
  const missed = () => complaints('the queue is in trouble', 'Query read timeout');
  const refused = () => complaints('releasing letters has to wait', 'ECONNREFUSED');

  it('are replaced over and over in an outage, without a warning of Node or of a library', async () => {
    const old = await until(async () => (await listening()).length === 4 && listening(), 'workers', inTime);
    cable.freeze();
    await until(async () => missed() > 0, 'an answer that is missed', inTime);
    await cable.cut();
    // what could not be started is replaced after a second, and so often, too, it is tried to release letters
    await until(async () => refused() > 15, 'an outage', inTime);
    await cable.mend();
    const renewed = async () => (await listening()).filter((pid) => !old.includes(pid)).length === 4;
    await until(renewed, 'workers in their place', inTime);
    expect(program.err()).not.toContain('Warning: ');
  }, 300_000);
});
