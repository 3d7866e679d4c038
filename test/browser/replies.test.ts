import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { until } from '../support/advocate.ts';
import { violations } from '../support/axe.ts';
import { desktop, openBrowser, openPage, phone } from '../support/browser.ts';
import { listen } from '../support/ears.ts';
import { type Instance, startInstance } from '../support/instance.ts';
import { describeWith } from '../support/needs.ts';
import { correspond } from '../support/replies.ts';
import { startSmtp, type TestSmtp } from '../support/smtp.ts';

describeWith('chromium', 'replies in a browser', (program) => {
  let browser: Browser;
  let smtp: TestSmtp;
  let instance: Instance;
  beforeAll(async () => {
    browser = await openBrowser(program);
    smtp = await startSmtp();
    instance = await startInstance({ roles: ['web', 'worker', 'inbound'], smtpUrl: smtp.url });
  });
  afterAll(async () => {
    await browser?.close();
    await instance?.close();
    await smtp?.close();
  });

  it.each([
    ['on a phone', phone],
    ['at a desk', desktop],
  ])(
    'come onto an open receipt by themselves, are answered, and leave what was open as it was, %s',
    async (_where, viewport) => {
      const one = await correspond(instance, smtp);
      const { page, complaints, close } = await openPage(browser, { viewport });
      await page.goto(`${instance.url}${one.receipt}`);
      await page.locator('.steps-taken > summary').click(); // closes it
      await page.locator('.steps-taken > summary').focus();
      const heard = await listen(page);
      await one.brandWrites({
        headers: ['Auto-Submitted: auto-replied'],
        subject: 'We have your message',
        text: 'Your message has the number 4711. Somebody will answer.',
      });
      await one.brandWrites({
        text: `Dear writer,\n\nthank you for your letter. We have written to the ministry today, and we have asked our suppliers in Phnom Penh for their view.\n\n${'This is a longer paragraph of an answer, as brands write them. '.repeat(14)}`,
      });
      await page.getByText('Sent on to your mailbox').waitFor({ timeout: 60_000 });
      await until(async () => heard.join('\n').includes('2 replies have come.'), 'the news');
      expect(await page.locator('.steps-taken').getAttribute('open')).toBeNull();
      expect(await page.evaluate('document.activeElement.parentElement.className')).toBe('steps-taken');
      await page.getByText('Read this reply').click();
      expect(await violations(page)).toEqual([]);

      await page.getByRole('link', { name: 'Answer' }).click();
      await page.getByLabel('Your answer').fill('Thank you. When may we hear more?\n\nអរគុណច្រើន។');
      expect(await violations(page)).toEqual([]);
      await page.getByRole('button', { name: 'See what will be sent' }).click();
      expect(await violations(page)).toEqual([]);
      await page.getByRole('button', { name: 'Send this answer' }).click();
      await page.locator('.reply.own[data-state="accepted"]').waitFor({ timeout: 60_000 });
      expect(await violations(page)).toEqual([]);
      const width = await page.evaluate('document.documentElement.scrollWidth');
      expect(width).toBeLessThanOrEqual(viewport.width);
      expect(complaints).toEqual([]);
      await close();
    },
    120_000,
  );
});
