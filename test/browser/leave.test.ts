import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Browser, Page, Request } from 'playwright-core';
import { campaignPath, until, writeAndConfirm } from '../support/advocate.ts';
import { forgetRecentYears, openBrowser, openPage, phone } from '../support/browser.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { gate } from '../support/letters.ts';
import { describeWith } from '../support/needs.ts';

const elsewhere = 'https://www.wikipedia.org/';

describeWith('chromium', 'somebody who has to leave at once', (program) => {
  let browser: Browser;
  let instance: Instance;
  let receipt: string;
  beforeAll(async () => {
    [browser, instance] = await Promise.all([openBrowser(program), startInstance()]);
    receipt = await writeAndConfirm(instance, instance.visitor(), { brand: ['hm', 'nike'] });
  });
  afterAll(async () => {
    await browser.close();
    await instance.close();
  });

  /** Stands in for the other site, which answers once it `may`; tells what it was asked. */
  async function standIn(page: Page, may: Promise<unknown> = Promise.resolve()): Promise<Request[]> {
    const asked: Request[] = [];
    await page.route(`${elsewhere}**`, async (route) => {
      asked.push(route.request());
      await may;
      await route.fulfill({ contentType: 'text/html', body: '<title>Elsewhere</title>' });
    });
    return asked;
  }
  const leave = (page: Page) => page.getByRole('link', { name: 'Leave this site' });

  it('sees nothing of the page any more, even while the other one loads, and going back does not lead to it', async () => {
    const { page, close } = await openPage(browser, { viewport: phone });
    const held = gate();
    const asked = await standIn(page, held.opened);
    await page.goto(instance.url);
    await page.goto(`${instance.url}${receipt}`);
    // a page that is being left answers no questions, so it tells by itself
    let seen: string | undefined;
    await page.exposeFunction('tell', (text: string) => {
      seen = text;
    });
    await page.evaluate(
      'new MutationObserver(() => tell(document.body.innerText)).observe(document.body, { childList: true })',
    );
    await page.evaluate('window.scrollTo(0, 400)');
    await leave(page).click({ noWaitAfter: true });
    await until(async () => seen === '', 'an empty page');
    held.open();
    await page.waitForURL(elsewhere);
    expect(await page.title()).toBe('Elsewhere');
    expect(asked.map((request) => request.headers().referer)).toEqual([undefined]);
    await page.goBack();
    expect(page.url()).toBe(`${instance.url}/`);
    await close();
  });

  it('gets away without JavaScript, too, and the other site is not told from where', async () => {
    const { page, close } = await openPage(browser, { javaScriptEnabled: false });
    const asked = await standIn(page);
    await page.goto(`${instance.url}${campaignPath}`);
    await leave(page).click();
    await page.waitForURL(elsewhere);
    expect(asked.map((request) => request.headers().referer)).toEqual([undefined]);
    await close();
  });

  it('gets away with a browser of a few years ago', async () => {
    const { page, close } = await openPage(browser, { viewport: phone });
    await page.addInitScript(forgetRecentYears);
    await standIn(page);
    await page.goto(`${instance.url}${receipt}`);
    await leave(page).click();
    await page.waitForURL(elsewhere);
    await close();
  });

  it('finds the way on every page, wherever it is scrolled to, and never on top of what has the focus', async () => {
    const { page, close } = await openPage(browser, { viewport: phone });
    for (const path of ['/', '/how', campaignPath, receipt, `${receipt}/erase`, '/nothing-here']) {
      await page.goto(`${instance.url}${path}`);
      for (const to of [0, 1e6]) {
        await page.evaluate(`window.scrollTo(0, ${to})`);
        expect(await leave(page).isVisible()).toBe(true);
        const box = await leave(page).boundingBox();
        expect((box?.y ?? 0) + (box?.height ?? 0)).toBeLessThanOrEqual(phone.height);
        expect(box?.height).toBeGreaterThanOrEqual(40); // wide enough for a thumb
      }
    }
    await page.goto(`${instance.url}${campaignPath}`);
    const overlaps: string[] = [];
    for (let presses = 0; presses < 60; presses += 1) {
      await page.keyboard.press('Tab');
      const hidden = await page.evaluate<string | undefined>(`(() => {
        const one = document.activeElement;
        const leave = document.querySelector('.leave');
        if (!one || one === document.body || one === leave) return undefined;
        const { left, right, top, bottom } = one.getBoundingClientRect();
        const over = leave.getBoundingClientRect();
        const isApart = right <= over.left || left >= over.right || bottom <= over.top || top >= over.bottom;
        return isApart ? undefined : one.outerHTML.slice(0, 80);
      })()`);
      if (hidden) overlaps.push(hidden);
    }
    expect(overlaps).toEqual([]);
    await close();
  });
});
