import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import Handlebars from 'handlebars';
import type { Locale } from '../locale/locale.ts';
import { sha256 } from '../people/vault.ts';
import { projectRoot } from '../root.ts';

/** Renders a page or a partial to HTML, in a language. */
export type Views = {
  page(name: string, locale: Locale, data: object): string;
  partial(name: string, locale: Locale, data: object): string;
};

/**
 * Compiles every template of `templates/pages` and `templates/partials` at once, so that a broken one shows
 * at the start and not in front of a visitor. Everything that is put into a page is escaped.
 */
export async function loadViews(): Promise<Views> {
  const handlebars = Handlebars.create();
  const assets = await readAssets();
  handlebars.registerHelper({
    t(key: string, options: Handlebars.HelperOptions) {
      return localeOf(options).text(key, options.hash);
    },
    /** The language of what campaigns and letters say, where it is not the page's: it may be written the other way. */
    lang(language: string, options: Handlebars.HelperOptions) {
      if (language === localeOf(options).language) return '';
      return new handlebars.SafeString(` lang="${handlebars.escapeExpression(language)}" dir="auto"`);
    },
    /** The address of a sheet or script, which changes with its content: a new page is never shown by an old sheet. */
    asset: (name: string) => `/assets/${name}?${assets.get(name)}`,
    is: (one: unknown, other: unknown) => one === other,
    linked: (text: string) => new handlebars.SafeString(linkUrls(handlebars.escapeExpression(text))),
    moment: (date: Date, options: Handlebars.HelperOptions) => localeOf(options).moment(date),
    stamp: (date: Date, options: Handlebars.HelperOptions) => localeOf(options).stamp(date),
    iso: (date: Date) => date.toISOString(),
    /** A text, with the moment that it tells marked as one, so that a script can say it in the reader's own time. */
    timed(text: string, at: Date | undefined, options: Handlebars.HelperOptions) {
      const escaped = handlebars.escapeExpression(text);
      if (!at) return new handlebars.SafeString(escaped);
      const moment = handlebars.escapeExpression(localeOf(options).moment(at));
      const marked = `<time datetime="${at.toISOString()}">${moment}</time>`;
      return new handlebars.SafeString(escaped.replace(moment, () => marked));
    },
  });
  for (const [name, source] of await readTemplates('partials')) handlebars.registerPartial(name, source);
  const compile = (source: string) => handlebars.compile(source, { strict: true });
  const pages = new Map((await readTemplates('pages')).map(([name, source]) => [name, compile(source)]));
  const partials = new Map(
    (await readTemplates('partials')).map(([name, source]) => [name, compile(source)]),
  );

  const render = (templates: typeof pages, name: string, locale: Locale, data: object) => {
    const template = templates.get(name);
    if (!template) throw new Error(`there is no template ${name}`);
    const { language, direction } = locale;
    return template({ ...data, language, direction }, { data: { locale } });
  };
  return {
    page: (name, locale, data) => render(pages, name, locale, data),
    partial: (name, locale, data) => render(partials, name, locale, data),
  };
}

function localeOf(options: Handlebars.HelperOptions): Locale {
  return options.data.locale as Locale;
}

/** Makes links of the URLs in text that is already escaped. */
function linkUrls(escaped: string): string {
  return escaped.replace(/https?:\/\/[^\s<]+/g, (url) => `<a href="${url}">${url}</a>`);
}

/** What the assets are called, and a mark of what is in each. */
async function readAssets(): Promise<Map<string, string>> {
  const folder = join(projectRoot, 'templates/assets');
  const marks = (await readdir(folder)).map(async (file): Promise<[string, string]> => {
    const content = await readFile(join(folder, file));
    return [file, sha256(content).toString('hex').slice(0, 12)];
  });
  return new Map(await Promise.all(marks));
}

async function readTemplates(kind: string): Promise<[string, string][]> {
  const folder = join(projectRoot, 'templates', kind);
  const files = (await readdir(folder)).filter((file) => file.endsWith('.hbs'));
  return Promise.all(
    files.map(
      async (file): Promise<[string, string]> => [
        file.slice(0, -4),
        await readFile(join(folder, file), 'utf8'),
      ],
    ),
  );
}
