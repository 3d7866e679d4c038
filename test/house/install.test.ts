import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';

type Package = {
  version?: string;
  integrity?: string;
  optionalDependencies?: Record<string, string>;
};

const read = (file: string) => JSON.parse(readFileSync(file, 'utf8'));
const lock = read('package-lock.json') as { packages: Record<string, Package> };
const installed = Object.entries(lock.packages).filter(([path]) => path !== '');

describe('the lock file', () => {
  // npm ci refuses a lock that knows a package's builds for some systems and not for others
  it('names every optional package that a package asks for, whatever the system', () => {
    const wanted = Object.entries(lock.packages).flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).map((name) => ({ path, name })),
    );
    const missing = wanted.filter(
      ({ path, name }) =>
        !(`node_modules/${name}` in lock.packages) && !(`${path}/node_modules/${name}` in lock.packages),
    );
    expect(wanted.length).toBeGreaterThan(0);
    expect(missing).toEqual([]);
  });

  it('holds a checksum of every package', () => {
    expect(installed.filter(([, { integrity }]) => !integrity?.startsWith('sha512-'))).toEqual([]);
  });
});

describe('the install scripts', () => {
  it('are allowed for the embedded PostgreSQL of every system, which makes links with them', () => {
    const { optionalDependencies, allowScripts } = read('package.json') as {
      optionalDependencies: Record<string, string>;
      allowScripts: Record<string, boolean>;
    };
    for (const name of Object.keys(optionalDependencies))
      expect([name, allowScripts[name]]).toEqual([name, true]);
  });
});
