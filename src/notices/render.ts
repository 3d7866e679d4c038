import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import Handlebars from 'handlebars';
import type { Locale } from '../locale/locale.ts';
import { projectRoot } from '../root.ts';

const templates = new Map<string, HandlebarsTemplateDelegate>();

/** The text of a notice, in a language; the templates lie in `templates/notices`. */
export async function renderNotice(
  name: string,
  locale: Locale,
  values: Record<string, string | boolean>,
): Promise<string> {
  let template = templates.get(name);
  if (!template) {
    const source = await readFile(join(projectRoot, 'templates/notices', `${name}.hbs`), 'utf8');
    template = Handlebars.compile(source, { noEscape: true, strict: true });
    templates.set(name, template);
  }
  const t = (key: string, options: Handlebars.HelperOptions) => locale.text(key, options.hash);
  return template(values, { helpers: { t } });
}
