import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Browser, Locator, Page } from 'playwright-core';
import { desktop, openBrowser, openPage, phone } from '../support/browser.ts';
import { describeWith } from '../support/needs.ts';
import { makePseudoLocales } from '../support/pseudo-locale.ts';
import { fillForm, openPreview, startTour, stops, type Tour } from '../support/tour.ts';

/** Whether one can scroll sideways, to whichever side. */
const sticksOut = (page: Page) =>
  page.locator('html').evaluate((html) => html.scrollWidth > html.clientWidth);

/** How far the middle of something is from the left edge, in parts of the page's width. */
const middleOf = (one: Locator) =>
  one.evaluate((element) => {
    const { left, right } = element.getBoundingClientRect();
    return (left + right) / 2 / element.ownerDocument.documentElement.clientWidth;
  });

const directionOf = (one: Locator) =>
  one.evaluate((element) => element.computedStyleMap().get('direction')?.toString());

/** Where a name that ends with a sign stands in what is seen, and whether the sign is read after it. */
const readingsOf = (page: Page, name: string) =>
  page.locator('main').evaluate((main, name) => {
    const { document } = main.ownerDocument.defaultView;
    const nodes = document.createTreeWalker(main, 4); // text
    const readings: { text: string; inOrder: boolean }[] = [];
    while (nodes.nextNode()) {
      const node = nodes.currentNode;
      const from = node.data.indexOf(name);
      if (from < 0 || !node.parentElement.checkVisibility()) continue;
      const [first = 0, last = 0] = [from, from + name.length - 1].map((at) => {
        const range = document.createRange();
        range.setStart(node, at);
        range.setEnd(node, at + 1);
        return range.getBoundingClientRect().left;
      });
      readings.push({ text: node.data.trim(), inOrder: first < last });
    }
    return readings;
  }, name);

describeWith('chromium', 'in a language that is written from right to left', (program) => {
  let browser: Browser;
  let tour: Tour;
  let folder: string;
  beforeAll(async () => {
    folder = await makePseudoLocales('ar');
    [browser, tour] = await Promise.all([openBrowser(program), startTour(folder)]);
  });
  afterAll(async () => {
    await browser.close();
    await tour.close();
    await rm(folder, { recursive: true, force: true });
  });
  const visit = (locale: string) => openPage(browser, { viewport: desktop, locale });

  it.each(stops)('%s goes that way, and fits', async (name) => {
    const { page, close } = await visit('ar');
    await tour.open(name, page);
    expect(await directionOf(page.locator('main'))).toBe('rtl');
    for (const viewport of [desktop, phone, { width: 320, height: 640 }]) {
      await page.setViewportSize(viewport);
      expect(await sticksOut(page)).toBe(false);
    }
    await close();
  });

  it('everything stands on the other side', async () => {
    const pages = [await visit('en-GB'), await visit('ar')] as const;
    for (const { page } of pages) await fillForm(page, tour.instance);
    const first = (selector: string) => pages.map(({ page }) => page.locator(selector).first());
    for (const selector of [
      '.wordmark',
      '.leave',
      '#brand-all',
      '.number',
      '.reason details',
      '.follow-named',
    ]) {
      const [left = 0, right = 0] = await Promise.all(first(selector).map(middleOf));
      expect(Math.abs(left - 0.5)).toBeGreaterThan(0.001);
      expect(Math.sign(0.5 - left)).toBe(Math.sign(right - 0.5));
    }
    for (const { close } of pages) await close();
  });

  it.each([
    'home',
    'campaign',
    'preview',
    'waiting',
    'confirm',
    'confirm, written before',
    'receipt, all accepted',
    'copy',
  ] as const)('%s: a name keeps the sign at its end, alone and in a sentence', async (name) => {
    const rename = (to: string) => tour.instance.query("update brand set name = $1 where slug = 'hm'", [to]);
    const { page, close } = await visit('ar');
    // until it was read, since a receipt brings itself up to date
    const readings = await rename('Yes!')
      .then(() => tour.open(name, page))
      .then(() => readingsOf(page, 'Yes!'))
      .finally(() => rename('H&M'));
    expect(readings.length).toBeGreaterThan(0);
    expect(readings.filter(({ inOrder }) => !inOrder)).toEqual([]);
    await close();
  });

  it('what others wrote, and what is typed, goes its own way', async () => {
    const { page, close } = await visit('ar');
    await openPreview(page, tour.instance);
    expect(await directionOf(page.locator('.letter-text').first())).toBe('ltr');
    await tour.open('campaign', page);
    expect(await directionOf(page.locator('.standfirst'))).toBe('ltr');
    const words = page.locator('#words');
    for (const [typed, direction] of [
      ['I have sewn', 'ltr'],
      ['كلمة', 'rtl'],
    ] as const) {
      await words.fill(typed);
      expect(await directionOf(words)).toBe(direction);
    }
    await close();
  });
});
