import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '../../src/root.ts';

/** What begins and ends every text of the pseudo-locale: whatever stands outside is in no locale file. */
export const [opening, closing] = ['⟦', '⟧'];

/** How another language looks, and which way it goes. */
const others = { km: { word: 'ខ្ញុំ', direction: 'ltr' }, ar: { word: 'كلمة', direction: 'rtl' } };

/** A folder with our English texts and, as another language, the same ones marked. Whoever makes it removes it. */
export async function makePseudoLocales(language: keyof typeof others = 'km'): Promise<string> {
  const { word, direction } = others[language];
  const folder = await mkdtemp(join(tmpdir(), 'outspoken-locales-'));
  const english = await readFile(join(projectRoot, 'locales/en.json'), 'utf8');
  await writeFile(join(folder, 'en.json'), english);
  const marked = JSON.parse(english, (key, value) =>
    typeof value === 'string' && key !== 'formats' ? `${opening}${word} ${value}${closing}` : value,
  );
  await writeFile(
    join(folder, `${language}.json`),
    JSON.stringify({ ...marked, formats: language, direction }),
  );
  return folder;
}
