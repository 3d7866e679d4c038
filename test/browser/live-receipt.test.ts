import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { until, writeAndConfirm } from '../support/advocate.ts';
import { forgetRecentYears, openBrowser, openPage, type Watched } from '../support/browser.ts';
import { listen } from '../support/ears.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { describeWith } from '../support/needs.ts';
import { makePseudoLocales } from '../support/pseudo-locale.ts';
import { type RecordingProxy, startRecordingProxy } from '../support/recording-proxy.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

describeWith('chromium', 'a receipt that is open in a browser', (program) => {
  let browser: Browser;
  let smtp: TestSmtp;
  let instance: Instance;
  let proxy: RecordingProxy;
  let localeFolder: string;
  beforeAll(async () => {
    browser = await openBrowser(program);
    smtp = await startSmtp({
      script: (moment, { to }) =>
        moment === 'rcpt' && to[0]?.includes('nike') ? { reply: '550 5.1.1 No such mailbox' } : undefined,
    });
    localeFolder = await makePseudoLocales();
    instance = await startInstance({ smtpUrl: smtp.url, localeFolder });
    proxy = await startRecordingProxy(instance.url);
  });
  afterAll(async () => {
    await browser.close();
    await proxy.close();
    await instance.close();
    await smtp.close();
    await rm(localeFolder, { recursive: true, force: true });
  });
  beforeEach(() => hold('hm', 'nike'));

  /** Letters to these brands wait, the others go. */
  const hold = (...brands: string[]) =>
    instance.query(
      `update contact set health = (case when slug = any ($1::text[]) then 'suspended' else 'good' end)::contact_health
       from brand where brand.id = brand_id`,
      [brands],
    );

  let people = 0;
  const write = () => {
    people += 1;
    const email = `watcher-${people}@mail.example`;
    return writeAndConfirm(smtp, instance.visitor(), { email, brand: ['hm', 'nike'] });
  };

  /** Opens it through the proxy, and waits until it hears of news. */
  async function watch(receipt: string, options = {}): Promise<Watched> {
    const watched = await openPage(browser, options);
    await watched.page.goto(`${proxy.url}${receipt}`);
    await saysLive(watched.page).waitFor();
    return watched;
  }
  const saysLive = (page: Page) => page.getByText('This page updates itself while it is open.');
  const lookAgain = (page: Page) => page.getByRole('link', { name: 'Look again' });

  it('says that it updates itself only while it does, and goes on by itself after the server was away', async () => {
    const { page, close } = await watch(await write());
    expect(await lookAgain(page).isVisible()).toBe(false);
    const refused = page.waitForResponse((response) => response.status() === 502); // after it the browser gives up
    proxy.loseServer();
    await lookAgain(page).waitFor();
    expect(await saysLive(page).isVisible()).toBe(false);
    await refused;
    proxy.findServer();
    await hold();
    await page.getByText('1 of your 2 letters has been accepted').first().waitFor({ timeout: 60_000 });
    await saysLive(page).waitFor();
    expect(await lookAgain(page).isVisible()).toBe(false);
    await close();
  });

  it('does not keep the letters of somebody who erased them meanwhile', async () => {
    const receipt = await write();
    const { page, close } = await watch(receipt);
    proxy.loseServer();
    await lookAgain(page).waitFor();
    await instance.visitor().post(`${receipt}/erase`);
    proxy.findServer();
    await page.getByRole('heading', { name: 'There is nothing here' }).waitFor({ timeout: 60_000 });
    await close();
  });

  it('says its times in the reader’s own zone, and in UTC without JavaScript', async () => {
    const receipt = await write();
    await hold();
    const { page, close } = await watch(receipt, { timezoneId: 'Asia/Phnom_Penh' });
    const sentence = page.locator('[data-brand="hm"] .sentence');
    await page.getByText('1 of your 2 letters has been accepted').first().waitFor();
    const at = new Date((await sentence.locator('time').getAttribute('datetime')) ?? '');
    const there = new Date(at.getTime() + 7 * 60 * 60_000).toISOString().slice(11, 16);
    expect(await sentence.textContent()).toMatch(new RegExp(` on \\d+ \\w+ \\d{4} at ${there} GMT\\+7$`));
    const steps = await page.locator('[data-brand="hm"] .timeline time').allTextContents();
    expect(steps.at(-1)).toMatch(new RegExp(`^\\d+ \\w+, ${there}:\\d\\d GMT\\+7$`));
    await close();

    const khmer = await openPage(browser, { locale: 'km', timezoneId: 'Asia/Phnom_Penh' });
    await khmer.page.goto(`${proxy.url}${receipt}`);
    expect(await khmer.page.locator('[data-brand="hm"] .sentence time').textContent()).toMatch(
      new RegExp(`^\\d+ [\\p{Script=Khmer}\\p{Mark}]+ \\d{4} .*${there} GMT\\+7$`, 'u'),
    );
    await khmer.close();

    const plain = await openPage(browser, { javaScriptEnabled: false, timezoneId: 'Asia/Phnom_Penh' });
    await plain.page.goto(`${proxy.url}${receipt}`);
    const said = await plain.page.locator('[data-brand="hm"] .sentence').textContent();
    expect(said).toContain(`at ${at.toISOString().slice(11, 16)} UTC`);
    await plain.close();
  });

  it('tells those who hear it of a refusal, which the numbers do not', async () => {
    const { page, close } = await watch(await write());
    const heard = await listen(page);
    await hold();
    await until(async () => /^Nike: Refused by mx.brand.example$/m.test(heard.join('\n')), 'the refusal');
    await close();
  });

  it('says each of its news once: nobody who reads on meets them again, and the next are said, too', async () => {
    const { page, close } = await watch(await write());
    const heard = await listen(page);
    const isSilent = async () => (await page.locator('#news').textContent()) === '';
    await hold('nike');
    await until(async () => heard.length > 0, 'news');
    await until(isSilent, 'the news to be gone');
    await hold();
    await until(async () => heard.length > 1, 'the next news');
    await until(isSilent, 'the next news to be gone');
    expect(heard).toEqual(['1 of your 2 letters has been accepted', 'Nike: Refused by mx.brand.example']);
    await close();
  });

  it('keeps up in a browser of a few years ago, as it says', async () => {
    const watched = await openPage(browser);
    await watched.page.addInitScript(forgetRecentYears);
    await watched.page.goto(`${proxy.url}${await write()}`);
    await saysLive(watched.page).waitFor();
    await hold();
    await watched.page
      .locator('.progress-words', { hasText: '1 of your 2 letters has been accepted' })
      .waitFor();
    expect(watched.complaints).toEqual([]);
    await watched.close();
  });

  it('leaves the focus on a button while another letter moves', async () => {
    const { page, close } = await watch(await write());
    const button = page.getByRole('button', { name: 'Do not send this one: Nike' });
    await button.focus();
    await hold('nike');
    await page.getByText('1 of your 2 letters has been accepted').first().waitFor();
    expect(await button.evaluate((one) => one === one.ownerDocument.activeElement)).toBe(true);
    await close();
  });
});
