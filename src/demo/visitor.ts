import { ExpectedError } from '../expected.ts';

export type Fields = Record<string, string | string[]>;
export type Page = { status: number; location: string; html: string };

/** A person with a browser, as far as the demo needs one: opens pages and sends their forms. */
export class Visitor {
  readonly #base: string;

  constructor(base: string) {
    this.#base = base;
  }

  get(path: string): Promise<Page> {
    return this.#ask(path, {});
  }

  post(path: string, fields: Fields): Promise<Page> {
    const body = new URLSearchParams();
    for (const [name, value] of Object.entries(fields))
      for (const one of [value].flat()) body.append(name, one);
    return this.#ask(path, { method: 'POST', body, headers: { 'Sec-Fetch-Site': 'same-origin' } });
  }

  async #ask(path: string, init: RequestInit): Promise<Page> {
    const response = await fetch(new URL(path, this.#base), { redirect: 'manual', ...init }).catch(() => {
      throw new ExpectedError('The instance for the demo does not answer any more.');
    });
    const page = {
      status: response.status,
      location: response.headers.get('location') ?? '',
      html: await response.text(),
    };
    if (page.status >= 400)
      throw new ExpectedError(
        `${init.method ?? 'GET'} ${new URL(path, this.#base).pathname.split('/')[1]}: ${page.status}`,
      );
    return page;
  }
}

export type ReceiptLetter = {
  id: string;
  brand: string;
  brandName: string;
  status: string;
  messageId: string;
  events: { type: string; at: string; code: number | null; response: string | null; host: string | null }[];
};

/** The letters of a receipt, read from what the page carries for programs. */
export function lettersOf({ html }: Page): ReceiptLetter[] {
  return html
    .split('<article ')
    .slice(1)
    .map((part) => ({
      id: attribute(part, 'data-letter'),
      brand: attribute(part, 'data-brand'),
      brandName: decode(/<h2><bdi>([^<]*)<\/bdi><\/h2>/.exec(part)?.[1] ?? ''),
      status: attribute(part, 'data-state'),
      messageId: attribute(part, 'data-message-id'),
      events: [...part.matchAll(/<li data-type=[^>]*><time datetime="([^"]*)"/g)].map(([tag, at = '']) => ({
        type: attribute(tag, 'data-type'),
        at,
        code: Number(attribute(tag, 'data-code')) || null,
        response: attribute(tag, 'data-response') || null,
        host: attribute(tag, 'data-host') || null,
      })),
    }));
}

/** The value of a named input. */
export function fieldOf({ html }: Page, name: string): string {
  return attribute(new RegExp(`<input[^>]*name="${name}"[^>]*>`).exec(html)?.[0] ?? '', 'value');
}

/** The text of the first element of a kind. */
export function readText({ html }: Page, element: string): string {
  return decode(new RegExp(`<${element}[^>]*>([^<]*)<`).exec(html)?.[1] ?? '').trim();
}

function attribute(tag: string, name: string): string {
  return decode(new RegExp(`${name}="([^"]*)"`).exec(tag)?.[1] ?? '');
}

function decode(html: string): string {
  return html
    .replace(/&#x([0-9a-f]+);/gi, (_, hex) => String.fromCodePoint(Number.parseInt(hex, 16)))
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&');
}
