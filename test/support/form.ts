import { type Page, unescapeHtml, wordsOf } from './visitor.ts';

export type Form = {
  action: string;
  /** What a browser would send if the form were submitted as it stands, by name. */
  fields: Record<string, string[]>;
};

/** The form of a page that is sent to `action`, read as a browser without JavaScript reads it. */
export function formOn(page: Page, action: string): Form {
  const forms = [...page.html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/g)];
  const found = forms.find(([, tag = '']) => attribute(tag, 'action') === action);
  if (!found) throw new Error(`the page has no form that is sent to ${action}`);
  return { action, fields: fieldsIn(found[2] ?? '') };
}

/** The value of an attribute; undefined when the tag does not have it. */
export function attribute(tag: string, name: string): string | undefined {
  const found = new RegExp(`\\s${name}(?:="([^"]*)")?(?=[\\s>/]|$)`).exec(tag);
  return found ? unescapeHtml(found[1] ?? '') : undefined;
}

/** The opening tag of the element with this id. */
export function tagOf(page: Page, id: string): string {
  return new RegExp(`<[a-z][^>]*\\sid="${id}"[^>]*>`).exec(page.html)?.[0] ?? '';
}

/** The message that stands beside a field; empty when it has none. */
export function messageBeside(page: Page, field: string): string {
  const html = new RegExp(`id="${field}-error"[^>]*>([\\s\\S]*?)</p>`).exec(page.html)?.[1] ?? '';
  return wordsOf({ ...page, html: html.replace(/<span class="for-ears">[^<]*<\/span>/, '') }).trim();
}

/** The entries of the error summary: where each leads, and what it says. */
export function summaryOf(page: Page): { anchor: string; text: string }[] {
  const summary = /<div class="error-summary"[\s\S]*?<\/div>/.exec(page.html)?.[0] ?? '';
  return [...summary.matchAll(/<a href="#([^"]*)">([\s\S]*?)<\/a>/g)].map(([, anchor = '', text = '']) => ({
    anchor,
    text: wordsOf({ ...page, html: text }).trim(),
  }));
}

function fieldsIn(html: string): Record<string, string[]> {
  const fields: Record<string, string[]> = {};
  const add = (name: string | undefined, value: string) => {
    if (name) fields[name] = [...(fields[name] ?? []), value];
  };
  for (const [tag] of html.matchAll(/<input\b[^>]*>/g)) {
    const isBox = ['checkbox', 'radio'].includes(attribute(tag, 'type') ?? '');
    if (!isBox || attribute(tag, 'checked') !== undefined) {
      add(attribute(tag, 'name'), attribute(tag, 'value') ?? '');
    }
  }
  for (const [, tag = '', text = ''] of html.matchAll(/<textarea\b([^>]*)>\n?([\s\S]*?)<\/textarea>/g)) {
    add(attribute(tag, 'name'), unescapeHtml(text));
  }
  for (const [, tag = '', options = ''] of html.matchAll(/<select\b([^>]*)>([\s\S]*?)<\/select>/g)) {
    const all = [...options.matchAll(/<option\b[^>]*>/g)].map(([option]) => option);
    const chosen = all.find((option) => attribute(option, 'selected') !== undefined) ?? all[0] ?? '';
    add(attribute(tag, 'name'), attribute(chosen, 'value') ?? '');
  }
  return fields;
}
