import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

/** Quiet: a browser that asks nobody for updates, and does not need a sandbox of its own. */
const flags = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const phone = { width: 390, height: 844 };
export const desktop = { width: 1100, height: 800 };

/** A real browser; the program is the one that the machine has. */
export function openBrowser(executablePath: string): Promise<Browser> {
  return chromium.launch({ executablePath, args: flags });
}

/**
 * For `addInitScript`: makes a browser as it was in the spring of 2020, which phones that get no updates any more may
 * have. Such a one knows no `replaceChildren` (Chromium 86), and no `:is()` (Chromium 88).
 */
export const forgetRecentYears = `
  for (const { prototype } of [Element, Document, DocumentFragment]) {
    delete prototype.replaceChildren;
    for (const name of ['querySelector', 'querySelectorAll']) {
      const find = prototype[name];
      prototype[name] = function (selector) {
        if (selector.includes(':is(')) throw new DOMException('not a valid selector', 'SyntaxError');
        return find.call(this, selector);
      };
    }
  }`;

/** A page, and everything that it asked for or complained about. */
export type Watched = {
  page: Page;
  /** Origins of all requests, the page's own included. */
  origins: Set<string>;
  /** Console errors, exceptions, refused by the content security policy. */
  complaints: string[];
  close(): Promise<void>;
};

/** Opens a page in a context of its own, as a new visitor, and watches it. */
export async function openPage(browser: Browser, options: BrowserContextOptions = {}): Promise<Watched> {
  const context = await browser.newContext({ locale: 'en-GB', ...options });
  context.setDefaultTimeout(60_000); // as patient as `until`
  const page = await context.newPage();
  const origins = new Set<string>();
  const complaints: string[] = [];
  context.on('request', (request) => origins.add(new URL(request.url()).origin));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  return { page, origins, complaints, close: () => context.close() };
}
