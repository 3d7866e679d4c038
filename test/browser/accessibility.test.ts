import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { violations } from '../support/axe.ts';
import { desktop, openBrowser, openPage, phone } from '../support/browser.ts';
import { describeWith } from '../support/needs.ts';
import { startTour, stops, type Tour } from '../support/tour.ts';

describeWith('chromium', 'every page can be used by everybody (axe-core)', (program) => {
  let browser: Browser;
  let tour: Tour;
  beforeAll(async () => {
    [browser, tour] = await Promise.all([openBrowser(program), startTour()]);
  });
  afterAll(async () => {
    await browser.close();
    await tour.close();
  });

  it.each(stops)('%s, on a phone and at a desk', async (name) => {
    const { page, complaints, close } = await openPage(browser, { viewport: phone });
    try {
      await tour.open(name, page);
      expect(await violations(page)).toEqual([]);
      await page.setViewportSize(desktop);
      await page.locator('details').evaluateAll((all) => {
        for (const one of all) one.setAttribute('open', '');
      });
      expect(await violations(page)).toEqual([]);
      expect(complaints.filter((complaint) => !isStatus(complaint))).toEqual([]);
    } finally {
      await close();
    }
  });
});

/** A browser also reports every answer of 4xx and 5xx, which is right for a form with errors. */
function isStatus(complaint: string): boolean {
  return /Failed to load resource: the server responded with a status of [45]\d\d/.test(complaint);
}
