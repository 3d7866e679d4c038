import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { confirmationLink, lettersOn, until } from '../support/advocate.ts';
import { desktop, openBrowser, openPage, phone } from '../support/browser.ts';
import { listen } from '../support/ears.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { untilAllEnded } from '../support/letters.ts';
import { describeWith } from '../support/needs.ts';

/** From the first page to letters that were accepted, as a person goes: by what can be seen and pressed. */
async function walk(page: Page, instance: Instance, email: string): Promise<string> {
  await page.goto(instance.url);
  await page.getByRole('link', { name: 'Write to the brands' }).click();
  await page.getByRole('link', { name: 'Write your letter' }).click();
  for (const brand of ['H&M', 'Nike', 'Tchibo']) await page.getByLabel(brand, { exact: true }).check();
  await page.getByRole('checkbox', { name: 'Nobody should be punished for reporting' }).check();
  await page.getByLabel('Your own words').fill('I sew trousers.\nមួយពាន់ 🧵');
  await page.getByRole('radio', { name: 'Named' }).check();
  await page.getByRole('textbox', { name: 'Your name' }).fill('Sok');
  await page.getByLabel('Your country').selectOption('Cambodia');
  await page.getByLabel('Your e-mail address').fill(email);
  await page.getByRole('button', { name: 'Read the letters before they are sent' }).click();

  await page.getByRole('heading', { name: 'Your 3 letters, as they will be sent' }).waitFor();
  await page.getByText('Tchibo', { exact: true }).first().click();
  await page.getByText('Tchibo: please speak out').waitFor();
  expect(await page.getByText('My name is Sok, and I write from Cambodia.').first().isVisible()).toBe(true);
  await page.getByRole('button', { name: 'Send these 3 letters' }).click();

  await page.getByRole('heading', { name: 'Look into your mailbox' }).waitFor();
  await page.goto(`${instance.url}${await confirmationLink(instance, email)}`);
  await page.getByRole('button', { name: 'Yes, send my 3 letters' }).click();
  await page.getByRole('heading', { name: 'Your letters', exact: true }).waitFor();
  return page.url();
}

/** The last steps of the way, from the private page. */
async function erase(page: Page): Promise<void> {
  await page.getByRole('link', { name: 'Erase my data now' }).click();
  await page.getByRole('button', { name: 'Erase everything now' }).click();
  await page.getByRole('heading', { name: 'Your data is erased' }).waitFor();
}

const accepted = '3 of your 3 letters have been accepted';

describeWith('chromium', 'the main path in a browser', (program) => {
  let browser: Browser;
  let instance: Instance;
  beforeAll(async () => {
    [browser, instance] = await Promise.all([openBrowser(program), startInstance()]);
  });
  afterAll(async () => {
    await browser.close();
    await instance.close();
  });

  it.each([
    ['on a phone', phone],
    ['at a desk', desktop],
  ])('works %s, and the receipt brings itself up to date', async (where, viewport) => {
    await hold(instance, true);
    const { page, origins, complaints, close } = await openPage(browser, { viewport });
    const receipt = await walk(page, instance, `${where.replaceAll(' ', '')}@mail.example`);
    await page.getByText('This page updates itself while it is open.').waitFor();
    expect(lettersOn(await instance.visitor().get(new URL(receipt).pathname))).toMatchObject([
      { brand: 'hm', state: 'ready' },
      { brand: 'nike', state: 'ready' },
      { brand: 'tchibo', state: 'ready' },
    ]);
    await page.getByText('Step by step').first().click();
    const opened = await page.locator('details').first().getAttribute('open');
    const heard = await listen(page);
    await hold(instance, false);
    await page.locator('.progress-words', { hasText: accepted }).waitFor();
    await until(async () => heard.at(-1) === accepted, 'the news');
    expect(await page.locator('details').first().getAttribute('open')).toBe(opened);
    expect(page.url()).toBe(receipt);

    await page.getByRole('link', { name: 'Read your copy: Nike' }).click();
    await page.getByText('I sew trousers.').waitFor();
    await page.getByRole('link', { name: 'Back to your letters' }).click();
    await erase(page);
    expect([...origins]).toEqual([instance.url]);
    expect(complaints).toEqual([]);
    await close();
  });

  it.each([
    ['on a phone', phone],
    ['at a desk', desktop],
  ])('works %s without JavaScript, and the receipt can be looked at again', async (where, viewport) => {
    const { page, origins, complaints, close } = await openPage(browser, {
      viewport,
      javaScriptEnabled: false,
    });
    await hold(instance, true);
    await walk(page, instance, `plain-${where.replaceAll(' ', '')}@mail.example`);
    expect(await page.getByText('This page updates itself').isVisible()).toBe(false);
    expect(await page.getByText(accepted).isVisible()).toBe(false);
    await hold(instance, false);
    await untilAllEnded(instance);
    await page.getByRole('link', { name: 'Look again' }).click();
    await page.getByText(accepted).waitFor();
    await erase(page);
    expect([...origins]).toEqual([instance.url]);
    expect(complaints).toEqual([]);
    await close();
  });

  it('tells an open receipt when its letters were erased elsewhere', async () => {
    const { page, close } = await openPage(browser);
    const receipt = await walk(page, instance, 'elsewhere@mail.example');
    await instance.visitor().post(`${new URL(receipt).pathname}/erase`);
    await page.getByRole('heading', { name: 'There is nothing here' }).waitFor();
    await close();
  });

  it('shows fonts of our own, and no other', async () => {
    const { page, close } = await openPage(browser);
    await page.goto(instance.url);
    const loaded = await page.locator('html').evaluate(async (html) => {
      const { fonts } = html.ownerDocument;
      await fonts.ready;
      return [...fonts].filter(({ status }) => status === 'loaded').map(({ family }) => family);
    });
    expect(new Set(loaded.map((family) => family.replaceAll('"', '')))).toEqual(new Set(['Source Serif']));
    await close();
  });
});

/** Letters wait, or go. */
const hold = (instance: Instance, waits: boolean) =>
  instance.query('update contact set health = $1', [waits ? 'suspended' : 'good']);
