import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../../src/root.ts';

/** What begins and ends every text of the pseudo-locale: whatever stands outside is in no locale file. */
export const [opening, closing] = ['⟦', '⟧'];

/** A folder with our English texts and, as Khmer, the same ones marked. Whoever makes it removes it. */
export async function makePseudoLocales(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'outspoken-locales-'));
  const english = await readFile(join(projectRoot, 'locales/en.json'), 'utf8');
  await writeFile(join(folder, 'en.json'), english);
  const marked = JSON.parse(english, (key, value) =>
    typeof value === 'string' && key !== 'formats' ? `${opening}ខ្ញុំ ${value}${closing}` : value,
  );
  await writeFile(join(folder, 'km.json'), JSON.stringify({ ...marked, formats: 'km' }));
  return folder;
}
