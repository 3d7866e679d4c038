/** What a browser without JavaScript does: follows links, keeps cookies, sends forms as they stand. */
export class Visitor {
  readonly #base: string;
  readonly #cookies = new Map<string, string>();
  /** Sent with every request, as a modern browser does. Delete to be an old one. */
  headers: Record<string, string> = {};

  constructor(base: string) {
    this.#base = base;
  }

  async get(path: string): Promise<Page> {
    return this.#request(path, { method: 'GET' });
  }

  /** Sends fields as a form of our own pages would. An array is a field that occurs several times. */
  async post(
    path: string,
    fields: Record<string, string | string[]> = {},
    headers: Record<string, string> = {},
  ): Promise<Page> {
    const body = new URLSearchParams();
    for (const [name, value] of Object.entries(fields))
      for (const one of [value].flat()) body.append(name, one);
    return this.#request(path, {
      method: 'POST',
      body,
      headers: { 'Sec-Fetch-Site': 'same-origin', ...headers },
    });
  }

  async #request(path: string, init: RequestInit & { headers?: Record<string, string> }): Promise<Page> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(new URL(path, this.#base), {
      redirect: 'manual',
      ...init,
      headers: { ...(cookie ? { cookie } : {}), ...this.headers, ...init.headers },
    });
    for (const line of response.headers.getSetCookie()) {
      const [name = '', value = ''] = (line.split(';')[0] ?? '').split(/=(.*)/s);
      this.#cookies.set(name, value);
    }
    const location = response.headers.get('location');
    return {
      status: response.status,
      headers: response.headers,
      location: location ?? '',
      html: await response.text(),
    };
  }
}

export type Page = { status: number; headers: Headers; location: string; html: string };

/** The value of a named input. */
export function fieldOf(page: Page, name: string): string {
  const tag = new RegExp(`<input[^>]*name="${name}"[^>]*>`).exec(page.html)?.[0] ?? '';
  return unescapeHtml(/value="([^"]*)"/.exec(tag)?.[1] ?? '');
}

export function unescapeHtml(text: string): string {
  return text
    .replace(/&#x([0-9a-f]+);/gi, (_, hex) => String.fromCodePoint(Number.parseInt(hex, 16)))
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&');
}

/** The words of a page, without its tags. */
export function wordsOf(page: Page): string {
  return unescapeHtml(
    page.html.replace(/<(script|style)[\s\S]*?<\/\1>|<\/?time\b[^>]*>/g, '').replace(/<[^>]+>/g, ' '),
  ).replace(/\s+/g, ' ');
}

/** A page without what differs from visit to visit: to tell whether two visitors see the same. */
export function impersonal({ status, html }: Page): string {
  return `${status} ${html
    .replace(/nonce="[^"]*"/g, '')
    .replace(/name="_csrf" value="[^"]*"/g, '')
    .replace(/<strong>\d{4}<\/strong>/g, '<strong>…</strong>')
    .replace(/[A-Za-z0-9_-]{43}/g, '…')}`;
}
