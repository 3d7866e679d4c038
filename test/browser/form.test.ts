import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Browser, Locator, Page } from 'playwright-core';
import { campaignPath, mailFor, until } from '../support/advocate.ts';
import { openBrowser, openPage, phone } from '../support/browser.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { describeWith } from '../support/needs.ts';
import { fillForm, openPreview, sendForm } from '../support/tour.ts';

/** What stands in the form. */
async function typedIn(page: Page) {
  const picked = (name: string) =>
    page.locator(`input[name=${name}]:checked`).evaluateAll((all) => all.map((one) => one.value));
  return {
    submission: await page.locator('input[name=submission]').inputValue(),
    brands: await picked('brand'),
    reasons: await picked('reason'),
    identity: await picked('identity'),
    words: await page.locator('#words').inputValue(),
    name: await page.locator('#name').inputValue(),
    country: await page.locator('#country').inputValue(),
    email: await page.locator('#email').inputValue(),
  };
}

const isFocused = (one: Locator) =>
  one.evaluate((element) => element === element.ownerDocument.activeElement);

describeWith('chromium', 'the form in a browser', (program) => {
  let browser: Browser;
  let instance: Instance;
  beforeAll(async () => {
    [browser, instance] = await Promise.all([openBrowser(program), startInstance()]);
  });
  afterAll(async () => {
    await browser.close();
    await instance.close();
  });
  const submissions = async () => (await instance.query('select 1 from advocate')).length;

  it.each([
    ['with JavaScript', true],
    ['without JavaScript', false],
  ])('%s: what is wrong gets the focus, and leads to each field', async (_what, javaScriptEnabled) => {
    const { page, close } = await openPage(browser, { viewport: phone, javaScriptEnabled });
    await page.goto(`${instance.url}${campaignPath}`);
    await page.locator('input[value="named"]').check();
    await page.locator('#words').fill('Call 012 345 678 9');
    await sendForm(page);
    expect(await page.title()).toBe('Error: Your letter – Outspoken');
    const summary = page.locator('.error-summary');
    await until(() => isFocused(summary), 'the focus on the summary');
    expect(await summary.evaluate((one) => one.getBoundingClientRect().top >= 0)).toBe(true);
    const links = [
      ['Pick at least one brand', '#brand-all'],
      ['Your own words hold something like a phone number', '#words'],
      ['Enter the name for the letter', '#name'],
      ['Enter your e-mail address', '#email'],
    ] as const;
    for (const [text, field] of links) {
      await summary.getByRole('link', { name: text }).click();
      expect(await isFocused(page.locator(field))).toBe(true);
      expect(await page.locator(field).isVisible()).toBe(true);
    }
    const edge = (field: string) =>
      page.locator(field).evaluate((one) => one.computedStyleMap().get('border-top-color')?.toString());
    for (const field of ['#words', '#name', '#email']) expect(await edge(field)).toBe('rgb(163, 22, 15)');
    expect(await edge('#country')).not.toBe('rgb(163, 22, 15)');
    await close();
  });

  it('asks for a name or a description only where it is needed', async () => {
    const { page, close } = await openPage(browser, { viewport: phone });
    await page.goto(`${instance.url}${campaignPath}`);
    const shown = async () =>
      Promise.all(['#name', '#description', '#country'].map((field) => page.locator(field).isVisible()));
    expect(await page.locator('input[name=identity]:checked').inputValue()).toBe('counted');
    expect(await shown()).toEqual([false, false, false]);
    await page.getByRole('radio', { name: 'Described' }).check();
    expect(await shown()).toEqual([false, true, true]);
    await page.getByRole('radio', { name: 'Named' }).check();
    expect(await shown()).toEqual([true, false, true]);
    // else a phone begins it with a capital letter, in the middle of the letter's sentence
    expect(await page.locator('#description').getAttribute('autocapitalize')).toBe('none');
    expect(await page.getByText('A letter with your name on it reaches the brand.').isVisible()).toBe(true);
    await close();
  });

  it('says when a name, a description or a country counts, where a browser is too old to put them away', async () => {
    const { page, close } = await openPage(browser, { viewport: phone });
    await page.goto(`${instance.url}${campaignPath}`);
    const notes = page.getByText(/^(Only|Not) if you choose/);
    await page.getByRole('radio', { name: 'Named' }).check();
    expect(await notes.filter({ visible: true }).count()).toBe(0);
    await page.route('**/outspoken.css?*', async (route) => {
      const sheet = await (await route.fetch()).text();
      await route.fulfill({
        contentType: 'text/css',
        body: sheet.replace('selector(:has(*))', 'selector(:old(*))'),
      });
    });
    await page.reload();
    expect(await notes.filter({ visible: true }).allTextContents()).toEqual([
      'Only if you choose “Named”.',
      'Only if you choose “Described”.',
      'Not if you choose “Counted”.',
    ]);
    expect(await page.locator('#name').isVisible()).toBe(true);
    await close();
  });

  it('keeps what was typed through "Change something", and through the back button', async () => {
    const { page, close } = await openPage(browser);
    await fillForm(page, instance);
    const typed = await typedIn(page);
    await sendForm(page);
    await page.getByRole('button', { name: 'Change something' }).click();
    expect(await typedIn(page)).toEqual(typed);
    await sendForm(page);
    await page.getByRole('heading', { name: 'Your 2 letters, as they will be sent' }).waitFor();

    await fillForm(page, instance);
    const anew = await typedIn(page);
    await sendForm(page);
    await page.goBack();
    expect(await typedIn(page)).toEqual(anew);
    await close();
  });

  it('is one submission for a double click, a reload, and the back button', async () => {
    const before = await submissions();
    const { page, close } = await openPage(browser);
    await openPreview(page, instance);
    await page.reload();
    await page.getByRole('button', { name: 'Send these 2 letters' }).dblclick();
    await page.getByRole('heading', { name: 'Look into your mailbox' }).waitFor();
    await page.reload();
    await page.goBack().catch(() => {}); // the preview was not kept: the browser asks whether to send the form again
    await page.getByText('ERR_CACHE_MISS').waitFor();
    await page.reload();
    await page.getByRole('button', { name: 'Send these 2 letters' }).click();
    await page.getByRole('heading', { name: 'Look into your mailbox' }).waitFor();
    expect(await submissions()).toBe(before + 1);
    await until(async () => (await mailFor(instance, 'sok@mail.example')).length > 0);
    expect(await mailFor(instance, 'sok@mail.example')).toHaveLength(1);
    await close();
  });
});
