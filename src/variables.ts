import { createSecretKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';

export type MasterKey = { version: number; key: KeyObject };

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/;

/** Whether a host name or address never leaves this machine. */
export function isLoopback(host: string): boolean {
  return loopback.test(host);
}

const whole = (low: number, high: number) =>
  z
    .string()
    .regex(/^\d+$/, `must be a whole number from ${low} to ${high}`)
    .transform(Number)
    .refine((n) => n >= low && n <= high, `must be a whole number from ${low} to ${high}`);

const host = z.string().regex(/^[A-Za-z0-9.:[\]-]+$/, 'must be an address such as 127.0.0.1');

const isUrl = (text: string, protocols: string[]) => {
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  return (
    parsed !== undefined &&
    protocols.includes(parsed.protocol) &&
    parsed.hostname !== '' &&
    [parsed.username, parsed.password].every(isEncoded)
  );
};

/** A lone % is no encoding, and whoever reads the password later would fail on it. */
function isEncoded(part: string): boolean {
  try {
    decodeURIComponent(part);
    return true;
  } catch {
    return false;
  }
}

const encoded = 'with special characters of a password as %23 and so on';

const url = (protocols: string[], example: string) =>
  z.string().refine((text) => isUrl(text, protocols), {
    error: `must be a URL such as ${example}, ${encoded}`,
    abort: true,
  });

/** What a relay's URL may say after its question mark. */
const relaySettings = new Map([
  ['tls', /^(required|optional|off)$/],
  ['weight', /^\d{1,4}$/],
  ['connections', /^[1-9]\d{0,3}$/],
]);

const relays = z
  .string()
  .refine((text) => text.split(/[\s,]+/).every((one) => isUrl(one, ['smtp:', 'smtps:'])), {
    error: `must be a URL such as smtp://user:password@host:587, or several, ${encoded}`,
    abort: true,
  })
  .refine(
    (text) =>
      text
        .split(/[\s,]+/)
        .flatMap((one) => [...new URL(one).searchParams])
        .every(([name, value]) => relaySettings.get(name)?.test(value)),
    'may end in ?tls=required (the default outside this machine), ?tls=optional or ?tls=off, &weight=N and &connections=N',
  );

const domain = z
  .string()
  .toLowerCase()
  .regex(
    /^(?=.{1,190}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$/,
    'must be a domain name such as letters.example.org',
  );

/** `*`, or `person@example.org,@example.org` and so on. */
const recipients = z
  .string()
  .toLowerCase()
  .transform((text) => text.split(',').map((part) => part.trim()))
  .refine(
    (list) =>
      (list.length === 1 && list[0] === '*') || list.every((one) => /^[^\s@*]*@[a-z0-9.-]+$/.test(one)),
    'must be * (everybody) or a comma-separated list of addresses and domains such as @example.org',
  );

/** How a person makes a key. */
export const makeKey = 'make one with: echo "1:$(openssl rand -base64 32)"';

/** Reads `VERSION:BASE64[,VERSION:BASE64…]`; undefined unless each is 32 bytes and has a version of its own. */
export function readMasterKeys(text: string): MasterKey[] | undefined {
  const keys: MasterKey[] = [];
  for (const part of text.split(',')) {
    const [, version, base64] = /^(\d{1,4}):([A-Za-z0-9+/]{43}=)$/.exec(part.trim()) ?? [];
    if (!version || !base64 || keys.some((key) => key.version === Number(version))) return undefined;
    keys.push({ version: Number(version), key: createSecretKey(base64, 'base64') });
  }
  return keys;
}

const masterKeys = z.string().transform((text, context): MasterKey[] => {
  const keys = readMasterKeys(text);
  if (keys) return keys;
  context.addIssue(`must be VERSION:BASE64 with 32 bytes each and every version once; ${makeKey}`);
  return z.NEVER;
});

/**
 * Every variable that Outspoken reads, what it may be, and what is said when it is something else: never with the value.
 * What each is for stands in `docs/operating.md`; a test holds it and `docker-compose.yml` against this list.
 */
export const variables = {
  PORT: whole(0, 65535).default(3000),
  HOST: host.default('127.0.0.1'),
  DATA_DIR: z.string().default('./data'),
  // a server behind a Unix socket has no host name: postgres://user:password@/outspoken?host=/run/postgresql
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\/\S+$/, {
      error: 'must be a URL such as postgres://user:password@host:5432/outspoken',
      abort: true,
    })
    .refine(
      (text) => URL.canParse(text.replace('@/', '@socket/')),
      'is not a URL that can be read: write special characters of the password as %23 and so on',
    )
    .optional(),
  REDIS_URL: url(['redis:', 'rediss:'], 'redis://host:6379').optional(),
  SMTP_URL: relays.optional(),
  APP_KEY: masterKeys.optional(),
  PUBLIC_URL: url(['http:', 'https:'], 'https://outspoken.example.org')
    .refine(
      (text) => text.startsWith('https:') || isLoopback(new URL(text).hostname),
      'must be https: outside this machine, since links in mails open private pages',
    )
    .refine(
      (text) => new URL(text).href === `${new URL(text).origin}/`,
      'must be the address of a whole host, without a path, a user or a query',
    )
    .transform((text) => text.replace(/\/+$/, ''))
    .optional(),
  MAIL_DOMAIN: domain.optional(),
  MAIL_RECIPIENTS: recipients.optional(),
  DKIM_KEY_FILE: z.string().optional(),
  DKIM_SELECTOR: z
    .string()
    .regex(
      /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i,
      'must be a name such as letters2026',
    )
    .optional(),
  INBOUND_PORT: whole(0, 65535).default(0),
  INBOUND_HOST: host.default('127.0.0.1'),
  INBOUND_TLS_CERT: z.string().optional(),
  INBOUND_TLS_KEY: z.string().optional(),
  TRUST_PROXY: whole(0, 10).default(0),
  LOG_LEVEL: z
    .enum(
      ['fatal', 'error', 'warn', 'info', 'debug', 'silent'],
      'must be fatal, error, warn, info, debug or silent',
    )
    .default('info'),
  SEED: z.enum(['true', 'false'], 'must be true or false').optional(),
};

export const schema = z.object(variables);
