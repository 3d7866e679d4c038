import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Browser, Locator, Page } from 'playwright-core';
import { campaignPath, lettersOn, until, writeAndConfirm } from '../support/advocate.ts';
import { openBrowser, openPage } from '../support/browser.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { describeWith } from '../support/needs.ts';

describeWith('chromium', 'the pages on paper, and in the reader’s own colours', (program) => {
  let browser: Browser;
  let instance: Instance;
  let receipt: string;
  beforeAll(async () => {
    [browser, instance] = await Promise.all([openBrowser(program), startInstance()]);
    receipt = await writeAndConfirm(instance, instance.visitor(), { brand: ['hm', 'nike'] });
    await until(async () =>
      lettersOn(await instance.visitor().get(receipt)).every(({ state }) => state === 'accepted'),
    );
  });
  afterAll(async () => {
    await browser.close();
    await instance.close();
  });

  /** As it is shown: with forced colours, not as the sheet has it. */
  const styleOf = (one: Locator, property: string): Promise<string> =>
    one.evaluate(
      (element, name) => element.ownerDocument.defaultView.getComputedStyle(element).getPropertyValue(name),
      property,
    );

  /** What the fill of the first mark of a receipt looks like. */
  const markOf = (page: Page) => page.locator('.strip .accepted').first();

  it('print what marks and ticks mean: browsers leave out fills that are only there to be nice', async () => {
    const { page, close } = await openPage(browser);
    await page.emulateMedia({ media: 'print' });
    await page.goto(`${instance.url}${receipt}`);
    expect(await styleOf(markOf(page), 'print-color-adjust')).toBe('exact');
    await page.goto(`${instance.url}${campaignPath}`);
    expect(await styleOf(page.locator('#brand-all'), 'print-color-adjust')).toBe('exact');
    await close();
  });

  it('print titles in ink, on a ground that is not printed', async () => {
    const { page, close } = await openPage(browser);
    await page.emulateMedia({ media: 'print' });
    for (const path of ['/', campaignPath]) {
      await page.goto(`${instance.url}${path}`);
      expect(await styleOf(page.locator('h1'), 'color')).toBe('rgb(20, 23, 31)');
      expect(await page.locator('.button').first().isVisible()).toBe(false);
      expect(await page.locator('.leave').isVisible()).toBe(false);
    }
    await close();
  });

  it.each(['dark', 'light'] as const)('show marks in forced colours, %s', async (colorScheme) => {
    const { page, close } = await openPage(browser, { forcedColors: 'active', colorScheme });
    await page.goto(`${instance.url}${receipt}`);
    const text = await styleOf(page.locator('h1'), 'color');
    expect(text).toBe(colorScheme === 'dark' ? 'rgb(255, 255, 255)' : 'rgb(0, 0, 0)');
    expect(await styleOf(markOf(page), 'background-color')).toBe(text);
    expect(await styleOf(markOf(page), 'border-top-color')).toBe(text);
    await close();
  });
});
