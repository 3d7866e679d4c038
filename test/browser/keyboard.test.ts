import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { confirmationLink, until, writeAndConfirm } from '../support/advocate.ts';
import { desktop, openBrowser, openPage } from '../support/browser.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { describeWith } from '../support/needs.ts';

/** What has the focus: its name as a person would call it. */
const focused = (page: Page): Promise<string> =>
  page.locator('html').evaluate((html) => {
    const one = html.ownerDocument.activeElement;
    const label = one?.getAttribute('aria-label') ?? one?.labels?.[0]?.textContent ?? one?.textContent ?? '';
    return label.replace(/\s+/g, ' ').trim();
  });

/** Whether a person sees where the focus is, and the place is on the screen. */
const isSeen = (page: Page): Promise<boolean> =>
  page.locator('html').evaluate((html) => {
    const one = html.ownerDocument.activeElement;
    const { top, bottom } = one.getBoundingClientRect();
    const ring = one.computedStyleMap().get('outline-style')?.toString();
    return ring !== 'none' && bottom > 0 && top < html.clientHeight;
  });

/** Goes on with Tab until what has the focus is called so. */
async function tabTo(page: Page, name: RegExp, most = 120): Promise<void> {
  for (let presses = 0; presses < most; presses += 1) {
    await page.keyboard.press('Tab');
    if (!name.test(await focused(page))) continue;
    await until(() => isSeen(page), `the focus to be seen on ${name}`);
    return;
  }
  throw new Error(`Tab does not lead to ${name}`);
}

describeWith('chromium', 'somebody who uses only the keyboard', (program) => {
  let browser: Browser;
  let instance: Instance;
  beforeAll(async () => {
    [browser, instance] = await Promise.all([openBrowser(program), startInstance()]);
  });
  afterAll(async () => {
    await browser.close();
    await instance.close();
  });

  it('can skip the menu', async () => {
    const { page, close } = await openPage(browser, { viewport: desktop });
    await page.goto(instance.url);
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe('Skip to the content');
    expect(await isSeen(page)).toBe(true);
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    expect(await focused(page)).toBe('Write to the brands');
    await close();
  });

  it('goes from the first page to letters on their way', async () => {
    const { page, close } = await openPage(browser, { viewport: desktop });
    const press = async (key: string) => page.keyboard.press(key);
    await page.goto(instance.url);
    await tabTo(page, /^Write to the brands$/);
    await press('Enter');
    await page.waitForURL('**/c/**');
    await tabTo(page, /^Write your letter$/);
    await press('Enter');
    await tabTo(page, /^H&M$/);
    await press('Space');
    await tabTo(page, /^Puma$/);
    await press('Space');
    await tabTo(page, /^I wear these clothes/);
    await press('Space');
    await tabTo(page, /Your own words/);
    await page.keyboard.type('Written without a mouse.');
    await tabTo(page, /^Counted/);
    await press('ArrowDown');
    expect(await focused(page)).toMatch(/^Described/);
    await tabTo(page, /^What you are$/);
    await page.keyboard.type('a garment worker');
    await tabTo(page, /Your e-mail address/);
    await page.keyboard.type('keys@mail.example');
    await press('Enter');
    await page.waitForURL('**/preview');
    await tabTo(page, /^Puma$/);
    await press('Enter');
    expect(await page.getByText('I write to you as a garment worker').nth(1).isVisible()).toBe(true);
    await tabTo(page, /^Send these 2 letters$/);
    await press('Enter');
    await page.waitForURL('**/sent/**');

    await page.goto(`${instance.url}${await confirmationLink(instance, 'keys@mail.example')}`);
    await tabTo(page, /^Yes, send my 2 letters$/);
    await press('Enter');
    await page.waitForURL('**/r/**');
    await page.getByText('2 of your 2 letters have been accepted').first().waitFor();
    await tabTo(page, /^Step by step: H&M$/);
    const steps = page.locator('details').first();
    const before = await steps.getAttribute('open');
    await press('Enter');
    expect(await steps.getAttribute('open')).not.toBe(before);
    await close();
  });

  it('keeps their place on the receipt when it brings itself up to date', async () => {
    await instance.query("update contact set health = 'suspended'");
    const { page, close } = await openPage(browser, { viewport: desktop });
    const visitor = instance.visitor();
    const receipt = await writeAndConfirm(instance, visitor, {
      email: 'place@mail.example',
      brand: ['hm', 'nike'],
    });
    await page.goto(`${instance.url}${receipt}`);
    await tabTo(page, /^Read your copy: Nike$/);
    await instance.query("update contact set health = 'good'");
    await page.getByText('2 of your 2 letters have been accepted').first().waitFor();
    const article = await page.locator('html').evaluate((html) => {
      return html.ownerDocument.activeElement?.closest('article')?.dataset.brand;
    });
    expect(article).toBe('nike');
    await close();
  });
});
