import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { desktop, openBrowser, openPage, phone } from '../support/browser.ts';
import { describeWith } from '../support/needs.ts';
import { makePseudoLocales } from '../support/pseudo-locale.ts';
import { startTour, stops, type Tour } from '../support/tour.ts';

/** What sticks out to the side of the page. */
function sticksOut(page: Page): Promise<string[]> {
  return page.locator('html').evaluate((html) => {
    if (html.scrollWidth <= html.clientWidth) return [];
    return [...html.querySelectorAll('body *')]
      .filter((one) => one.getBoundingClientRect().right > html.clientWidth + 1)
      .map((one) => one.outerHTML.slice(0, 120))
      .concat(`${html.scrollWidth} > ${html.clientWidth}`);
  });
}

/** Text that is cut off because its box is smaller than it, except where one can scroll in the box. */
function cutOff(page: Page): Promise<string[]> {
  const boxes = page.locator('body *:not(.for-ears, pre, textarea, input)');
  return boxes.evaluateAll((all) =>
    all
      .filter((one) => one.computedStyleMap().get('overflow-x')?.toString() !== 'visible')
      .filter((one) => one.scrollWidth > one.clientWidth + 1)
      .map((one) => one.outerHTML.slice(0, 120)),
  );
}

/** As large as a person who needs large text sets it. */
function doubleText(page: Page): Promise<void> {
  return page.locator('html').evaluate((html) => html.style.setProperty('font-size', '225%'));
}

describeWith('chromium', 'every page fits', (program) => {
  let browser: Browser;
  let tour: Tour;
  let folder: string;
  beforeAll(async () => {
    folder = await makePseudoLocales();
    [browser, tour] = await Promise.all([openBrowser(program), startTour(folder)]);
    const long = ['Bundesvereinigung der Textilhandelsgesellschaften mbH', 'W'.repeat(60)];
    for (const [n, slug] of ['nike', 'levis'].entries())
      await tour.instance.query('update brand set name = $1 where slug = $2', [long[n], slug]);
  });
  afterAll(async () => {
    await browser.close();
    await tour.close();
    await rm(folder, { recursive: true, force: true });
  });

  it.each(stops)('%s: in 320 pixels, with large text, with longer words', async (name) => {
    const { page, close } = await openPage(browser, { viewport: { width: 320, height: 640 }, locale: 'km' });
    try {
      await tour.open(name, page);
      expect(await page.locator('html').getAttribute('lang')).toBe('km');
      expect(await sticksOut(page)).toEqual([]);
      for (const viewport of [phone, desktop]) {
        await page.setViewportSize(viewport);
        await doubleText(page);
        expect(await sticksOut(page)).toEqual([]);
        expect(await cutOff(page)).toEqual([]);
      }
    } finally {
      await close();
    }
  });

  it.each(['home', 'campaign', 'receipt, in every state'] as const)(
    '%s: keeps its frame in a browser of a few years ago',
    async (name) => {
      const { page, close } = await openPage(browser, { viewport: phone });
      try {
        await page.route('**/outspoken.css?*', async (route) => {
          const sheet = await (await route.fetch()).text();
          const unknown =
            /^ *(?:(?:padding|margin|inset)-(?:inline|block)|inset-(?:inline|block)-(?:start|end)):.*$/gm;
          await route.fulfill({ contentType: 'text/css', body: sheet.replace(unknown, '') });
        });
        await tour.open(name, page);
        expect(await sticksOut(page)).toEqual([]);
        const title = await page.locator('h1').boundingBox();
        expect(title?.x).toBeGreaterThan(10);
        const leave = await page.locator('.leave').boundingBox();
        expect((leave?.y ?? 0) + (leave?.height ?? 0)).toBeGreaterThan(phone.height - 40);
        await page.getByRole('link', { name: 'How it works', exact: true }).click(); // nothing lies over it
        await page.waitForURL('**/how');
      } finally {
        await close();
      }
    },
  );
});
