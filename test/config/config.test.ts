import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { readConfig, variables } from '../../src/config.ts';
import { ExpectedError } from '../../src/expected.ts';
import { plainKey } from '../support/keys.ts';

const key = (version: number) => `${version}:${Buffer.alloc(32, version).toString('base64')}`;
/** Everything real, as with docker-compose.yml. */
const real = {
  DATABASE_URL: 'postgres://outspoken:secret@db.example:5432/outspoken',
  REDIS_URL: 'redis://redis.example:6379',
  SMTP_URL: 'smtp://user:secret@relay.example:587',
  APP_KEY: key(1),
  PUBLIC_URL: 'https://outspoken.example',
  MAIL_DOMAIN: 'letters.outspoken.example',
};

type Environment = Record<string, string>;

/** What is said to the person who starts it: a line per problem; none: [] */
function problems(environment: Environment, roles?: string[]): string[] {
  try {
    readConfig(environment, roles);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ExpectedError);
    const [title, ...lines] = (error as Error).message.split('\n');
    expect(title).toBe('Outspoken cannot start with these settings:');
    for (const line of lines) expect(line).toMatch(/^ {2}- \S/);
    return lines.map((line) => line.slice(4));
  }
}

describe('an environment in which nothing is set', () => {
  it('is the embedded default: all roles, all on this machine, nothing leaves it', () => {
    expect(readConfig({})).toEqual({
      roles: ['web', 'worker', 'inbound'],
      port: 3000,
      host: '127.0.0.1',
      dataDir: resolve('data'),
      databaseUrl: undefined,
      redisUrl: undefined,
      smtpUrl: undefined,
      appKeys: undefined,
      publicUrl: undefined,
      mailDomain: 'outspoken.example',
      mailRecipients: ['*'],
      inboundPort: 0,
      inboundHost: '127.0.0.1',
      inboundTls: undefined,
      trustProxy: 0,
      logLevel: 'info',
      seed: true,
    });
  });

  it('is what empty variables and spaces make as well, as Compose passes them', () => {
    const empty = (value: string) => Object.fromEntries(Object.keys(variables).map((name) => [name, value]));
    expect(readConfig(empty(''))).toEqual(readConfig({}));
    expect(readConfig(empty('  '))).toEqual(readConfig({}));
  });

  it('does not read what is not ours', () => {
    expect(readConfig({ port: '1', PGHOST: 'db.example', NODE_ENV: 'production', Port: 'x' })).toEqual(
      readConfig({}),
    );
  });
});

describe('an environment in which everything is real', () => {
  it('is taken as it is, and seeds nothing and reaches nobody unless it is told to', () => {
    expect(readConfig(real)).toMatchObject({
      databaseUrl: real.DATABASE_URL,
      redisUrl: real.REDIS_URL,
      smtpUrl: real.SMTP_URL,
      publicUrl: 'https://outspoken.example',
      mailDomain: 'letters.outspoken.example',
      seed: false,
      mailRecipients: [],
    });
    expect(readConfig({ ...real, SEED: 'true' }).seed).toBe(true);
    expect(readConfig({ ...real, MAIL_RECIPIENTS: '*' }).mailRecipients).toEqual(['*']);
  });

  it('says where the pages are, who stands in front, what is logged and how mail is signed', () => {
    const settings = {
      PORT: '8080',
      HOST: '::',
      DATA_DIR: 'elsewhere',
      PUBLIC_URL: 'https://outspoken.example/',
      DKIM_KEY_FILE: '/run/secrets/dkim.pem',
      DKIM_SELECTOR: 'letters2026',
      TRUST_PROXY: '2',
      LOG_LEVEL: 'debug',
    };
    expect(readConfig({ ...real, ...settings })).toMatchObject({
      port: 8080,
      host: '::',
      dataDir: resolve('elsewhere'),
      publicUrl: 'https://outspoken.example', // paths are put behind it
      dkim: { keyFile: '/run/secrets/dkim.pem', selector: 'letters2026' },
      trustProxy: 2,
      logLevel: 'debug',
    });
  });

  it('keeps the order of several master keys: the first one is the newest', () => {
    const { appKeys } = readConfig({ ...real, APP_KEY: `${key(3)}, ${key(1)},${key(2)}` });
    expect(appKeys?.map(({ version }) => version)).toEqual([3, 1, 2]);
    for (const { version, key: one } of appKeys ?? []) expect(one.equals(plainKey(version))).toBe(true);
  });
});

describe('a variable', () => {
  const socket = 'postgres://outspoken:pass@/outspoken?host=%2Frun%2Fpostgresql';
  const good: [string, string, Environment?][] = [
    ['PORT', '0'],
    ['PORT', '65535'],
    ['HOST', '0.0.0.0'],
    ['HOST', '::'],
    ['HOST', 'localhost'],
    ['DATA_DIR', '/srv/outspoken data'],
    ['DATABASE_URL', 'postgresql://db.example/outspoken', { APP_KEY: key(1) }],
    ['DATABASE_URL', 'postgres://user:p%23ss%40@db.example/outspoken', { APP_KEY: key(1) }],
    ['DATABASE_URL', socket, { APP_KEY: key(1) }],
    ['REDIS_URL', 'rediss://:pass@redis.example:6380/1'],
    ['SMTP_URL', 'smtps://relay.example?tls=required', real],
    ['SMTP_URL', 'smtp://127.0.0.1:25?tls=off', real],
    ['SMTP_URL', 'smtp://relay.example?tls=optional', real],
    [
      'SMTP_URL',
      'smtp://a.example?weight=3&connections=20, smtps://b.example?weight=0\nsmtp://c.example',
      real,
    ],
    ['PUBLIC_URL', 'https://outspoken.example/'],
    ['PUBLIC_URL', 'http://localhost:3000'],
    ['PUBLIC_URL', 'http://127.0.0.1:3000'],
    ['PUBLIC_URL', 'http://[::1]:3000'],
    ['MAIL_DOMAIN', 'Letters.Outspoken.Example'],
    ['MAIL_RECIPIENTS', '*'],
    ['MAIL_RECIPIENTS', 'One@mail.example, @brand.example'],
    ['DKIM_SELECTOR', 'letters-2026.outspoken', { DKIM_KEY_FILE: '/run/secrets/dkim.pem' }],
    ['INBOUND_PORT', '2525'],
    ['INBOUND_HOST', '::'],
    ['TRUST_PROXY', '10'],
    ...['fatal', 'error', 'warn', 'info', 'debug', 'silent'].map((level): [string, string] => [
      'LOG_LEVEL',
      level,
    ]),
    ['SEED', 'false'],
    ['APP_KEY', `${key(9999)},${key(0)}`],
  ];
  it.each(good)('%s may be %j', (name, value, others = {}) => {
    expect(problems({ ...others, [name]: value })).toEqual([]);
  });

  const dkimKey = { DKIM_KEY_FILE: '/run/secrets/dkim.pem' };
  const bad: [string, string, string, Environment?][] = [
    ['PORT', 'eighty', 'a whole number from 0 to 65535'],
    ['PORT', '-1', 'a whole number from 0 to 65535'],
    ['PORT', '65536', 'a whole number from 0 to 65535'],
    ['PORT', '80.5', 'a whole number'],
    ['PORT', '0x50', 'a whole number'],
    ['PORT', '1e3', 'a whole number'],
    ['HOST', 'http://localhost', 'an address'],
    ['HOST', 'a b', 'an address'],
    ['DATABASE_URL', 'mysql://db.example/outspoken', 'postgres://'],
    ['DATABASE_URL', 'db.example', 'postgres://'],
    ['DATABASE_URL', 'postgres://user:pass word@db.example/x', 'postgres://'],
    ['DATABASE_URL', 'postgres://user:p#ss@db.example/x', '%23'],
    ['REDIS_URL', 'http://redis.example', 'redis://'],
    ['REDIS_URL', 'redis.example:6379', 'redis://'],
    ['REDIS_URL', 'redis://:100%@redis.example', '%23'],
    ['SMTP_URL', 'smtp://user:100%@relay.example', '%23'],
    ['SMTP_URL', 'relay.example', 'smtp://'],
    ['SMTP_URL', 'smtp://', 'smtp://'],
    ['SMTP_URL', 'smtp://relay.example?tls=maybe', '?tls=required'],
    ['SMTP_URL', 'smtp://relay.example,relay.example', 'smtp://'],
    ['SMTP_URL', 'smtp://relay.example?weight=heavy', '&weight=N'],
    ['SMTP_URL', 'smtp://relay.example?constructor=1', '&weight=N'],
    ['SMTP_URL', 'smtp://a.example, smtp://b.example?connections=0', '&connections=N'],
    ['SMTP_URL', 'smtp://relay.example?TLS=off', '?tls=required'],
    ['APP_KEY', Buffer.alloc(32).toString('base64'), 'VERSION:BASE64'],
    ['APP_KEY', `1:${Buffer.alloc(31).toString('base64')}`, '32 bytes'],
    ['APP_KEY', `1:${Buffer.alloc(33).toString('base64')}`, '32 bytes'],
    ['APP_KEY', `1:${Buffer.alloc(32).toString('hex')}`, '32 bytes'],
    ['APP_KEY', `${key(1)},${key(1)}`, 'every version once'],
    ['APP_KEY', `${key(1)},`, 'VERSION:BASE64'],
    ['APP_KEY', `-1:${Buffer.alloc(32).toString('base64')}`, 'VERSION:BASE64'],
    ['PUBLIC_URL', 'outspoken.example', 'https://'],
    ['PUBLIC_URL', 'http://outspoken.example', 'must be https:'],
    ['PUBLIC_URL', 'http://127.0.0.1.mail.example', 'must be https:'],
    ['PUBLIC_URL', 'ftp://outspoken.example', 'https://'],
    ['PUBLIC_URL', 'https://outspoken.example/letters', 'without a path'],
    ['PUBLIC_URL', 'https://outspoken.example/?a', 'without a path'],
    ['PUBLIC_URL', 'https://user:pass@outspoken.example', 'without a path'],
    ['MAIL_DOMAIN', 'localhost', 'a domain name'],
    ['MAIL_DOMAIN', 'a@outspoken.example', 'a domain name'],
    ['MAIL_DOMAIN', 'outspoken.example.', 'a domain name'],
    ['MAIL_DOMAIN', `${'a'.repeat(60)}.`.repeat(4).concat('example'), 'a domain name'],
    ['MAIL_RECIPIENTS', 'brand.example', 'must be * (everybody)'],
    ['MAIL_RECIPIENTS', '*,a@brand.example', 'must be * (everybody)'],
    ['MAIL_RECIPIENTS', '*@brand.example', 'must be * (everybody)'],
    ['DKIM_KEY_FILE', '/run/secrets/dkim.pem', 'needed together'],
    ['DKIM_SELECTOR', 'letters2026', 'needed together'],
    ['DKIM_SELECTOR', 'letters 2026', 'a name such as', dkimKey],
    ['DKIM_SELECTOR', 'letters2026._domainkey', 'a name such as', dkimKey],
    ['DKIM_SELECTOR', 'letters;d=brand.example', 'a name such as', dkimKey],
    ['INBOUND_PORT', 'smtp', 'a whole number'],
    ['INBOUND_HOST', 'a/b', 'an address'],
    ['INBOUND_TLS_CERT', '/etc/cert.pem', 'needed together'],
    ['INBOUND_TLS_KEY', '/etc/key.pem', 'needed together'],
    ['TRUST_PROXY', 'true', 'a whole number from 0 to 10'],
    ['TRUST_PROXY', '11', 'a whole number from 0 to 10'],
    ['LOG_LEVEL', 'verbose', 'fatal, error, warn'],
    ['LOG_LEVEL', 'INFO', 'fatal, error, warn'],
    ['SEED', 'yes', 'true or false'],
    ['SEED', '1', 'true or false'],
  ];
  it.each(bad)('%s may not be %j, and it is said why', (name, value, says, settings = {}) => {
    const [problem = '', ...others] = problems({ ...real, ...settings, [name]: value });
    expect(problem).toMatch(new RegExp(`^.*${name} `));
    expect(problem).toContain(says);
    expect(problem.split(says)).toHaveLength(2); // and only once
    expect(others).toEqual([]);
  });

  it('has been tried here, right and wrong, if Outspoken reads it', () => {
    const anything = ['DATA_DIR', 'DKIM_KEY_FILE', 'INBOUND_TLS_CERT', 'INBOUND_TLS_KEY'];
    const names = Object.keys(variables).filter((name) => !anything.includes(name));
    for (const name of names) {
      expect(good.map(([one]) => one)).toContain(name);
      expect(bad.map(([one]) => one)).toContain(name);
    }
  });

  it('is never printed with its value, since that may be a secret', () => {
    const secret = 'S3cret-Va1ue';
    const wrong = Object.fromEntries(
      Object.keys(variables).map((name) => [name, `%${secret}\u0000 ${secret}`]),
    );
    const urls = {
      DATABASE_URL: `postgres://user:${secret}#@db.example/x`,
      SMTP_URL: `smtp://user:${secret}@relay.example?tls=${secret}`,
      REDIS_URL: `http://:${secret}@redis.example`,
      APP_KEY: `1:${secret}`,
      PUBLIC_URL: `http://user:${secret}@outspoken.example`,
    };
    for (const environment of [wrong, { ...wrong, ...urls }, urls]) {
      expect(problems(environment).length).toBeGreaterThanOrEqual(5);
      expect(problems(environment).join('\n')).not.toContain(secret);
    }
  });
});

describe('what one setting makes necessary', () => {
  it.each<[string, Environment, string[] | undefined, string[]]>([
    ['a database of its own', { DATABASE_URL: real.DATABASE_URL }, undefined, ['APP_KEY is needed']],
    [
      'a real relay',
      { SMTP_URL: real.SMTP_URL },
      undefined,
      ['PUBLIC_URL is needed', 'MAIL_DOMAIN is needed'],
    ],
    ['the web role alone', {}, ['web'], ['DATABASE_URL is needed']],
    ['the worker role alone', {}, ['worker'], ['DATABASE_URL is needed', 'SMTP_URL is needed']],
    ['the inbound role alone', {}, ['inbound'], ['DATABASE_URL is needed']],
    [
      'an unknown role',
      {},
      ['web', 'worker', 'king'],
      ['--role king does not exist; there are: web, worker'],
    ],
  ])('is asked for: %s', (_what, environment, roles, expected) => {
    const found = problems(environment, roles);
    expect(found).toHaveLength(expected.length);
    for (const [n, says] of expected.entries()) expect(found[n]).toContain(says);
  });

  it('is enough, for each role alone and for all of them together', () => {
    for (const roles of [['web'], ['worker'], ['inbound'], ['web', 'worker'], []])
      expect(problems(real, roles)).toEqual([]);
    expect(problems({}, ['web', 'worker'])).toEqual([]);
    expect(readConfig(real, ['worker', 'worker']).roles).toEqual(['worker']);
  });
});

describe('several problems', () => {
  it('are told at once, a line each', () => {
    const found = problems(
      { PORT: 'x', DATABASE_URL: 'x', SMTP_URL: 'x', LOG_LEVEL: 'x', SEED: 'x', INBOUND_TLS_CERT: 'x' },
      ['nobody'],
    );
    const about = [
      'PORT',
      'DATABASE_URL',
      'SMTP_URL',
      'LOG_LEVEL',
      'SEED',
      '--role',
      'APP_KEY',
      'PUBLIC_URL',
      'MAIL_DOMAIN',
      'INBOUND_TLS_CERT',
    ];
    expect(found.map((line) => line.split(' ')[0])).toEqual(about);
  });
});
