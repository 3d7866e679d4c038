import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { readConfig, roles, variables } from '../../src/config.ts';

/** There is no Docker engine in the gate: what the container files say is held against what the program asks for. */

type Service = {
  image: string;
  build?: string;
  command?: string[];
  environment?: Record<string, string | number>;
  healthcheck?: { test: string[] };
  depends_on?: Record<string, { condition: string }>;
  ports?: string[];
  volumes?: string[];
  stop_grace_period?: string;
  [other: string]: unknown;
};

const read = (file: string) => readFileSync(file, 'utf8');
const raw = read('docker-compose.yml');
const dockerfile = read('Dockerfile');
const made = {
  APP_KEY: '1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=',
  MAIL_RECIPIENTS: '*',
  POSTGRES_PASSWORD: '0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a6978',
};
const compose = interpolated(made);
const service = (name: string) => compose.services[name] as Service;
const environmentOf = (name: string) =>
  Object.fromEntries(
    Object.entries(service(name).environment ?? {}).map(([key, value]) => [key, String(value)]),
  );

type Compose = {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
  networks: Record<string, { internal?: boolean } | null>;
};

function interpolated(environment: Record<string, string>): Compose {
  const fill = (value: unknown): unknown => {
    if (typeof value === 'string') return interpolate(value, environment);
    if (Array.isArray(value)) return value.map(fill);
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, fill(one)]));
  };
  return fill(parse(raw, { merge: true })) as Compose;
}

/** As Compose does it: ${NAME}, ${NAME:-default}, ${NAME:?what is wrong}, and $$ for a dollar. */
function interpolate(text: string, environment: Record<string, string>): string {
  return text.replace(/\$\$|\$\{(\w+)(?::([-?])([^}]*))?\}/g, (all, name, kind, word) => {
    if (all === '$$') return '$';
    const value = environment[name] || (kind === '-' ? word : '');
    if (!value) throw new Error(`${name} ${word ?? 'is not set'}`);
    return value;
  });
}

describe('docker-compose.yml', () => {
  it('has a database, a queue, a mail catcher and every role, each looked after and started again', () => {
    expect(Object.keys(compose.services).sort()).toEqual(['mail', 'postgres', 'redis', ...roles].sort());
    for (const [name, { restart, healthcheck, build }] of Object.entries(compose.services)) {
      const looksAfterItself = build !== undefined && /^HEALTHCHECK /m.test(dockerfile);
      expect([name, restart, healthcheck !== undefined || looksAfterItself]).toEqual([
        name,
        'unless-stopped',
        true,
      ]);
    }
  });

  it.each(roles)('gives the role %s only settings that exist, and all that it needs', (role) => {
    const environment = environmentOf(role);
    expect(Object.keys(environment).filter((name) => !(name in variables))).toEqual([]);
    expect(service(role).command).toEqual(['--role', role]);
    const config = readConfig(environment, [role]);
    expect(config).toMatchObject({ roles: [role], host: '0.0.0.0', seed: true });
    expect([config.databaseUrl, config.smtpUrl, config.appKeys?.length]).toEqual([
      `postgres://outspoken:${made.POSTGRES_PASSWORD}@postgres:5432/outspoken`,
      'smtp://mail:1025?tls=off',
      1,
    ]);
  });

  it.each(Object.keys(made))('does not start without %s, and has none of its own', (name) => {
    expect(() => interpolated({ ...made, [name]: '' })).toThrow(`${name} is not set`);
  });

  it('lets the worker use the queue, and the pages live without it', () => {
    expect(environmentOf('worker').REDIS_URL).toBe('redis://redis:6379');
    expect(environmentOf('web')).not.toHaveProperty('REDIS_URL');
    expect(service('web').depends_on).toEqual({ postgres: { condition: 'service_healthy' } });
    expect(service('worker').depends_on).toMatchObject({
      postgres: { condition: 'service_healthy' },
      redis: { condition: 'service_healthy' },
    });
  });

  it('has Redis write down what it holds, and refuse rather than forget', () => {
    expect((service('redis').command ?? []).join(' ')).toMatch(
      /--appendonly yes .*--maxmemory-policy noeviction/,
    );
    expect(service('redis').volumes).toEqual(['redis:/data']);
  });

  it('keeps the database in a volume, as PostgreSQL 18 lays it out, and its errors out of the log', () => {
    expect(service('postgres').volumes).toEqual(['postgres:/var/lib/postgresql']);
    expect(Object.keys(compose.volumes)).toEqual(['postgres', 'redis', 'kept']);
    expect(service('postgres').command).toContain('-clog_min_error_statement=panic');
    expect(compose.networks.inside).toEqual({ internal: true });
    expect([service('postgres').networks, service('redis').networks]).toEqual([['inside'], ['inside']]);
  });

  it('keeps what must outlive the database in a volume of its own, which the unprivileged user may write to', () => {
    for (const role of ['web', 'worker']) {
      expect(environmentOf(role).DATA_DIR).toBe('/data');
      expect(service(role).volumes).toEqual(['kept:/data']);
    }
    expect(dockerfile).toMatch(/^RUN install -d -o node -g node -m 0700 \/data\nUSER node$/m);
    expect(dockerfile).toMatch(/^ENV .*\bDATA_DIR=\/data$/m);
  });

  it('opens ports to this machine only', () => {
    const ports = Object.values(compose.services).flatMap(({ ports = [] }) => ports);
    expect(ports.length).toBeGreaterThan(0);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });

  it('names a version of every image that it does not build', () => {
    for (const { image, build } of Object.values(compose.services)) {
      if (!build) expect(image).toMatch(/:v?\d+(\.\d+)*$/);
    }
    expect(service('postgres').image).toBe('postgres:18');
  });

  it('gives our own containers no more than they need, and longer to stop than the program takes', () => {
    const patience = Number(/const patience = (\d+)_000/.exec(read('src/main.ts'))?.[1]);
    for (const role of roles) {
      expect(service(role)).toMatchObject({
        read_only: true,
        tmpfs: ['/tmp'],
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
        init: true,
      });
      expect(Number(/^(\d+)s$/.exec(service(role).stop_grace_period ?? '')?.[1])).toBeGreaterThan(patience);
    }
  });
});

describe('the Dockerfile', () => {
  it('builds and runs on the Node of .nvmrc, as an unprivileged user, and passes signals on', () => {
    const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);
    expect(new Set(bases)).toEqual(new Set([`node:${read('.nvmrc').trim()}-slim`]));
    const [, last = ''] = /[\s\S]*^FROM ([\s\S]*)/m.exec(dockerfile) ?? [];
    expect(last).toMatch(/^USER node$/m);
    expect(last).toMatch(/^STOPSIGNAL SIGTERM$/m);
    expect(last).toMatch(/^ENTRYPOINT \["node", "dist\/src\/main\.js"\]$/m);
  });

  it('copies what the ignore file lets through', () => {
    const let_through = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'));
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths = '']) =>
      paths.split(' '),
    );
    for (const path of copied) expect(let_through).toContain(`!${path.split('/')[0]}`);
  });
});

describe('docs/operating.md', () => {
  const operating = read('docs/operating.md');
  const rows = (heading: string) => {
    const section = operating.split(/^##+ /m).find((part) => part.startsWith(heading)) ?? '';
    return [...section.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, name]) => name as string);
  };

  it('describes every variable that Outspoken reads, and no other', () => {
    expect(rows('Variables').sort()).toEqual(Object.keys(variables).sort());
  });

  it('names those of them that .env may set, and no other', () => {
    const section = operating.split(/^## /m).find((part) => part.startsWith('With Compose')) ?? '';
    const [, sentence = ''] = /`\.env` may set ([^;]+);/.exec(section) ?? [];
    const named = [...sentence.matchAll(/`([A-Z_]+)`/g)].map(([, name]) => name);
    const used = new Set([...raw.matchAll(/\$\{(\w+)/g)].map(([, name]) => name as string));
    expect(named.sort()).toEqual([...used].filter((name) => name in variables).sort());
  });

  it('describes every variable of docker-compose.yml that the program does not read', () => {
    const used = new Set([...raw.matchAll(/\$\{(\w+)/g)].map(([, name]) => name as string));
    expect(rows('With Compose').sort()).toEqual([...used].filter((name) => !(name in variables)).sort());
  });
});
