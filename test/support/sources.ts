import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { projectRoot } from '../../src/root.ts';

/** A file of ours: its path from the project's folder, its text, and what it imports. */
export type Source = {
  path: string;
  /** The part of the house that it belongs to: `src/letters`, `src/config.ts`, `workers`. */
  room: string;
  text: string;
  /** Paths of our own files; those of them that are needed when the program runs, not for types only. */
  imports: string[];
  needs: string[];
  /** Names of packages. */
  packages: string[];
};

/** Every TypeScript file below these folders. */
export function readSources(...folders: string[]): Source[] {
  return folders.flatMap((folder) => filesBelow(folder, '.ts')).map(readSource);
}

/** Paths below a folder of the project, sorted. */
export function filesBelow(folder: string, ending: string): string[] {
  return readdirSync(join(projectRoot, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ending))
    .map((entry) => relative(projectRoot, join(entry.parentPath, entry.name)))
    .sort();
}

export function readText(path: string): string {
  return readFileSync(join(projectRoot, path), 'utf8');
}

function readSource(path: string): Source {
  const text = readText(path);
  const all = importsOf(withoutComments(text));
  const ours = all.filter(({ name }) => name.startsWith('.'));
  const pathOf = ({ name }: { name: string }) => normalize(join(dirname(path), name));
  return {
    path,
    room: roomOf(path),
    text,
    imports: ours.map(pathOf),
    needs: ours.filter(({ types }) => !types).map(pathOf),
    packages: all
      .map(({ name }) => name)
      .filter((name) => !name.startsWith('.') && !name.startsWith('node:')),
  };
}

function importsOf(code: string): { name: string; types: boolean }[] {
  const named = [...code.matchAll(/^(?:import|export)\b([^;']*?)\sfrom\s+'([^'\n]+)'/gm)];
  const bare = [...code.matchAll(/^import\s+'([^'\n]+)'|\bimport\(\s*'([^'\n]+)'\s*\)/gm)];
  return [
    ...named.map(([, what = '', name = '']) => ({ name, types: /^\s+type\b/.test(what) })),
    ...bare.map(([, one, other]) => ({ name: one ?? other ?? '', types: false })),
  ];
}

/** `src/letters` for a file in that folder, `src/config.ts` for itself. */
export function roomOf(path: string): string {
  const [top = '', second = '', ...rest] = path.split('/');
  if (top !== 'src') return top;
  return rest.length > 0 ? `src/${second}` : path;
}

/** The code alone. Good enough for searching: strings that look like comments are rare, and none hides an import. */
export function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');
}
