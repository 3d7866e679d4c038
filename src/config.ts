import { resolve } from 'node:path';
import { ExpectedError } from './expected.ts';
import { type MasterKey, makeKey, schema, variables } from './variables.ts';

export { isLoopback, type MasterKey, readMasterKeys, variables } from './variables.ts';

export const roles = ['web', 'worker', 'inbound'] as const;
export type Role = (typeof roles)[number];

export type Config = {
  roles: Role[];
  port: number;
  host: string;
  dataDir: string;
  /** Absent: the embedded PostgreSQL under `dataDir`. */
  databaseUrl?: string;
  /** Absent: BullMQ runs on its PostgreSQL backend. */
  redisUrl?: string;
  /** Absent: the built-in mail catcher takes all mail. */
  smtpUrl?: string;
  /** Newest first; absent in the embedded default, which keeps a key of its own under `dataDir`. */
  appKeys?: MasterKey[];
  /** Where people reach the pages, without a trailing slash; absent: whatever address the server got. */
  publicUrl?: string;
  mailDomain: string;
  /** Whom mail may reach: addresses, domains (`@example.org`) or `*`, in lower case; none: nobody. */
  mailRecipients: string[];
  /** How outgoing mail is signed; absent: not by us. */
  dkim?: { keyFile: string; selector: string };
  inboundPort: number;
  inboundHost: string;
  /** Files of the listener's certificate and key; absent: it does not offer STARTTLS. */
  inboundTls?: { cert: string; key: string };
  trustProxy: number;
  logLevel: string;
  /** Create the first campaign where there is none. */
  seed: boolean;
};

type Environment = Partial<Record<string, string>>;

/**
 * Reads the settings from the environment; nothing else in Outspoken does. An empty variable counts as unset, as
 * Compose passes them.
 *
 * @param roleNames what `--role` named; none: all roles in one process
 * @throws ExpectedError with every problem at once, a line each
 */
export function readConfig(environment: Environment, roleNames: string[] = []): Config {
  const given = Object.fromEntries(
    Object.keys(variables).map((name) => [name, environment[name]?.trim() || undefined]),
  );
  const parsed = schema.safeParse(given);
  const problems = parsed.success
    ? []
    : parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`);
  problems.push(...roleProblems(roleNames), ...missing(given, roleNames));
  if (!parsed.success || problems.length > 0) {
    throw new ExpectedError(
      ['Outspoken cannot start with these settings:', ...problems.map((line) => `  - ${line}`)].join('\n'),
    );
  }
  const values = parsed.data;
  return {
    roles: roleNames.length > 0 ? [...new Set(roleNames as Role[])] : [...roles],
    port: values.PORT,
    host: values.HOST,
    dataDir: resolve(values.DATA_DIR),
    databaseUrl: values.DATABASE_URL,
    redisUrl: values.REDIS_URL,
    smtpUrl: values.SMTP_URL,
    appKeys: values.APP_KEY,
    publicUrl: values.PUBLIC_URL,
    mailDomain: values.MAIL_DOMAIN ?? 'outspoken.example',
    // mail that goes into the catcher reaches nobody
    mailRecipients: values.MAIL_RECIPIENTS ?? (values.SMTP_URL ? [] : ['*']),
    dkim:
      values.DKIM_KEY_FILE && values.DKIM_SELECTOR
        ? { keyFile: values.DKIM_KEY_FILE, selector: values.DKIM_SELECTOR }
        : undefined,
    inboundPort: values.INBOUND_PORT,
    inboundHost: values.INBOUND_HOST,
    inboundTls:
      values.INBOUND_TLS_CERT && values.INBOUND_TLS_KEY
        ? { cert: values.INBOUND_TLS_CERT, key: values.INBOUND_TLS_KEY }
        : undefined,
    trustProxy: values.TRUST_PROXY,
    logLevel: values.LOG_LEVEL,
    seed: values.SEED === undefined ? values.DATABASE_URL === undefined : values.SEED === 'true',
  };
}

function roleProblems(names: string[]): string[] {
  return names
    .filter((name) => !roles.includes(name as Role))
    .map((name) => `--role ${name} does not exist; there are: ${roles.join(', ')}`);
}

/** What becomes necessary once another part is real, or once the roles run apart. */
function missing(given: Environment, roleNames: string[]): string[] {
  // letters go from the pages to the worker; mail that comes back may be left to another listener, or to none
  const apart = roleNames.length > 0 && !(roleNames.includes('web') && roleNames.includes('worker'));
  const problems: string[] = [];
  if (given.DATABASE_URL && !given.APP_KEY) {
    problems.push(`APP_KEY is needed with DATABASE_URL; ${makeKey}`);
  }
  if (given.SMTP_URL && !given.PUBLIC_URL) {
    problems.push('PUBLIC_URL is needed with SMTP_URL, since confirmation mails link to it');
  }
  if (given.SMTP_URL && !given.MAIL_DOMAIN) {
    problems.push('MAIL_DOMAIN is needed with SMTP_URL: the domain that you send from and get answers at');
  }
  if ((given.DKIM_KEY_FILE === undefined) !== (given.DKIM_SELECTOR === undefined)) {
    problems.push('DKIM_KEY_FILE and DKIM_SELECTOR are needed together');
  }
  if ((given.INBOUND_TLS_CERT === undefined) !== (given.INBOUND_TLS_KEY === undefined)) {
    problems.push('INBOUND_TLS_CERT and INBOUND_TLS_KEY are needed together');
  }
  if (apart && !given.DATABASE_URL) {
    problems.push('DATABASE_URL is needed when roles run apart: the embedded PostgreSQL serves one process');
  }
  if (apart && roleNames.includes('worker') && !given.SMTP_URL) {
    problems.push(
      'SMTP_URL is needed for a worker that runs apart: the mail catcher belongs to the all-in-one process',
    );
  }
  return problems;
}
