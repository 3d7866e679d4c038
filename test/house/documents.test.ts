import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const folders = ['.', 'docs', 'docs/decisions', 'bench', 'test'];
const documents = folders.flatMap((folder) =>
  readdirSync(folder)
    .filter((file) => file.endsWith('.md'))
    .map((file) => join(folder, file)),
);
const decisions = readdirSync('docs/decisions');
const read = (path: string) => readFileSync(path, 'utf8');

/** What can be linked to in a document, as GitHub makes it of a heading. */
const anchorsOf = (text: string) =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} -]/gu, '')
      .replaceAll(' ', '-'),
  );

describe('the documents', () => {
  it.each(documents)('%s leads only to what is there', (path) => {
    const links = [...read(path).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)];
    const broken = links.filter(([, file = '', anchor]) => {
      const target = file === '' ? path : join(dirname(path), file);
      if (!existsSync(target)) return true;
      return anchor !== undefined && !anchorsOf(read(target)).includes(anchor);
    });
    expect(broken.map(([link]) => link)).toEqual([]);
  });

  it('name only commands that there are', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = documents.flatMap((path) =>
      [...read(path).matchAll(/\bnpm run(?: -s)? ([a-z]+)/g)].map(([, name = '']) => name),
    );
    expect(named.length).toBeGreaterThan(10);
    expect([...new Set(named)].filter((name) => !(name in scripts))).toEqual([]);
  });
});

describe('the decisions', () => {
  it('are numbered, each once, and each has its context and its consequences', () => {
    expect(new Set(decisions.map((file) => file.slice(0, 4))).size).toBe(decisions.length);
    for (const file of decisions) {
      const text = read(join('docs/decisions', file));
      expect(text).toMatch(new RegExp(`^# ${file.slice(0, 4)}: `));
      for (const part of ['## Context', '## Decision', '## Consequences']) expect(text).toContain(part);
    }
  });

  it('are there when the sources speak of them', () => {
    const files = ['src', 'workers', 'bench'].flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((file) => /\.(ts|sql)$/.test(file))
        .map((file) => join(folder, file)),
    );
    const named = files.flatMap((path) =>
      [...read(path).matchAll(/docs\/decisions\/(\d{4})/g)].map(([, number = '']) => number),
    );
    expect(named.length).toBeGreaterThan(0);
    const missing = named.filter((number) => !decisions.some((file) => file.startsWith(`${number}-`)));
    expect([...new Set(missing)]).toEqual([]);
  });
});
