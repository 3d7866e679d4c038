import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { AxeResults } from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { desktop, openBrowser, openPage, phone } from '../support/browser.ts';
import { describeWith } from '../support/needs.ts';
import { startTour, stops, type Tour } from '../support/tour.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe-core finds wrong with a page: WCAG 2.2 A and AA, and good practice. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe); // not as a script of the page, which its content security policy would refuse
  const { violations } = (await page.evaluate(
    `axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice'] })`,
  )) as AxeResults;
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
}

describeWith('chromium', 'every page can be used by everybody (axe-core)', (program) => {
  let browser: Browser;
  let tour: Tour;
  beforeAll(async () => {
    [browser, tour] = await Promise.all([openBrowser(program), startTour()]);
  }, 60_000);
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

/** A browser also reports every answer of 4xx, which is right for a form with errors. */
function isStatus(complaint: string): boolean {
  return /Failed to load resource: the server responded with a status of 4\d\d/.test(complaint);
}
