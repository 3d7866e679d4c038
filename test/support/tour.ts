import type { Page as BrowserPage } from 'playwright-core';
import {
  campaignPath,
  confirmationLink,
  lettersOn,
  until,
  writeAndConfirm,
  writeLetters,
} from './advocate.ts';
import { type Instance, startInstance } from './instance.ts';
import { type Script, startSmtp } from './smtp.ts';

/** A page of ours, and how a browser comes to see it. */
export type Stop = { name: string; open(page: BrowserPage): Promise<void> };

export const stops = [
  'home',
  'how it works',
  'campaign',
  'form with errors',
  'preview',
  'preview, all brands',
  'waiting',
  'confirm',
  'confirm, read first',
  'confirm, written before',
  'receipt, all accepted',
  'receipt, in every state',
  'copy',
  'erase',
  'erase, not confirmed',
  'erased',
  'gone',
  'link that is not good',
  'mail catcher',
  'caught mail',
  'no such page',
  'form from elsewhere',
  'broken',
  'home, no campaign',
  'campaign, not begun',
  'campaign, paused',
  'campaign, closed',
  'confirm, closed',
  'form, closed',
] as const;
export type StopName = (typeof stops)[number];

/** Brands that take a letter, refuse it, put it off, and fall silent. */
const world: Script = (moment, { to }) => {
  const brand = /human-rights@(.*)\.example/.exec(to[0] ?? '')?.[1];
  if (moment === 'rcpt' && brand === 'nike') return { reply: '550 5.1.1 No such mailbox here' };
  if (moment === 'rcpt' && brand === 'tchibo') return { reply: '451 4.7.1 Greylisted, come back later' };
  if (moment === 'dot' && brand === 'puma') return { cut: 'fin' };
  return undefined;
};

/** Every kind of page, on real instances with real letters behind them. */
export async function startTour(localeFolder?: string) {
  const smtp = await startSmtp({ script: world });
  const caught = await startInstance({ localeFolder });
  const sent = await startInstance({ localeFolder, smtpUrl: smtp.url });
  await sent.query(`update contact set health = 'suspended' from brand
    where brand.id = brand_id and brand.slug = 'asics'`);

  const visitor = caught.visitor();
  const waiting = await writeLetters(visitor, { email: 'one@mail.example', brand: ['hm', 'nike'] });
  const link = await confirmationLink(caught, 'one@mail.example');
  await writeAndConfirm(caught, visitor, { email: 'two@mail.example' });
  await writeLetters(visitor, { email: 'two@mail.example', brand: ['hm', 'nike'] });
  const twice = await confirmationLink(caught, 'two@mail.example', 2);
  const receipt = await writeAndConfirm(caught, visitor, {
    email: 'three@mail.example',
    brand: ['hm', 'nike', 'levis'],
    identity: 'described',
    description: 'a garment worker',
  });
  await untilAtRest(caught, receipt, 0);
  const mixed = await writeAndConfirm(smtp, sent.visitor(), {
    email: 'four@mail.example',
    brand: ['hm', 'nike', 'tchibo', 'puma', 'asics'],
  });
  await untilAtRest(sent, mixed, 1);
  const [letter] = lettersOn(await visitor.get(receipt));
  const [mail] = (await caught.context.catcher?.list()) ?? [];

  const at = (path: string, instance = caught) => ({
    open: async (page: BrowserPage) => void (await page.goto(`${instance.url}${path}`)),
  });
  const between = (change: string, back: string, open: (page: BrowserPage) => Promise<void>) => ({
    async open(page: BrowserPage) {
      await caught.query(change);
      await open(page).finally(() => caught.query(back));
    },
  });
  const during = (state: string, open: (page: BrowserPage) => Promise<void>) =>
    between(`update campaign set state = '${state}'`, "update campaign set state = 'open'", open);
  const ways: Record<StopName, { open(page: BrowserPage): Promise<void> }> = {
    home: at('/'),
    'how it works': at('/how'),
    campaign: at(campaignPath),
    'form with errors': {
      async open(page) {
        await at(campaignPath).open(page);
        await page.locator('input[value="named"]').check();
        await page.locator('#words').fill('Call 012 345 678 9');
        await sendForm(page);
      },
    },
    preview: { open: (page) => openPreview(page, caught) },
    'preview, all brands': {
      async open(page) {
        await fillForm(page, caught);
        await page.locator('#brand-all').check();
        await page.locator('#words').fill(`ខ្ញុំបានដេរខោអស់រយៈពេលប្រាំពីរឆ្នាំហើយ។ 🧵\n\n${'W'.repeat(120)}`);
        await sendForm(page);
      },
    },
    waiting: at(waiting),
    confirm: at(link),
    'confirm, read first': {
      async open(page) {
        await at(link).open(page);
        await page.locator('button.secondary').click();
        await page.waitForURL(`${caught.url}${link}/letters`);
      },
    },
    'confirm, written before': at(twice),
    'receipt, all accepted': at(receipt),
    'receipt, in every state': at(mixed, sent),
    copy: at(`${receipt}/letters/${letter?.handle}`),
    erase: at(`${mixed}/erase`, sent),
    'erase, not confirmed': at(`${waiting}/erase`),
    erased: at('/erased'),
    gone: at(`/r/${'A'.repeat(43)}`),
    'link that is not good': at(`/confirm/${'A'.repeat(43)}`),
    'mail catcher': at('/mail'),
    'caught mail': at(`/mail/${mail}`),
    'no such page': at('/nothing'),
    'form from elsewhere': {
      async open(page) {
        await page.goto(`data:text/html,<form method="post" action="${caught.url}${campaignPath}"><button>`);
        await page.locator('button').click();
        await page.waitForURL(`${caught.url}/**`);
      },
    },
    broken: between(
      'alter table campaign_brand rename to broken',
      'alter table broken rename to campaign_brand',
      at(campaignPath).open,
    ),
    'home, no campaign': during('draft', at('/').open),
    'campaign, not begun': between(
      "update campaign set opens_at = now() + interval '3 days'",
      'update campaign set opens_at = null',
      at(campaignPath).open,
    ),
    'campaign, paused': during('paused', at(campaignPath).open),
    'campaign, closed': during('closed', at(campaignPath).open),
    'confirm, closed': during('closed', at(link).open),
    'form, closed': {
      async open(page) {
        await fillForm(page, caught);
        await during('closed', () => sendForm(page)).open(page);
      },
    },
  };
  return {
    instance: caught,
    open: (name: StopName, page: BrowserPage) => ways[name].open(page),
    async close() {
      await caught.close();
      await sent.close();
      await smtp.close();
    },
  };
}
export type Tour = Awaited<ReturnType<typeof startTour>>;

/** Fills in the form of the campaign's page, with a name. */
export async function fillForm(page: BrowserPage, { url }: Instance): Promise<void> {
  await page.goto(`${url}${campaignPath}`);
  for (const brand of ['hm', 'nike']) await page.locator(`input[name=brand][value=${brand}]`).check();
  await page.locator('input[name=reason]').first().check();
  await page.locator('#words').fill('I have sewn trousers for seven years.');
  await page.locator('input[value="named"]').check();
  await page.locator('#name').fill('Sok');
  await page.locator('#country').selectOption('KH');
  await page.locator('#email').fill('sok@mail.example');
}

/** Presses the form's button, and waits for the answer. */
export async function sendForm(page: BrowserPage): Promise<void> {
  await page.locator('#send').click();
  await page.waitForLoadState('load');
}

export async function openPreview(page: BrowserPage, instance: Instance): Promise<void> {
  await fillForm(page, instance);
  await sendForm(page);
}

/** Waits until all letters but some have come as far as they can for now. */
async function untilAtRest(instance: Instance, receipt: string, moving: number): Promise<void> {
  await until(async () => {
    const letters = lettersOn(await instance.visitor().get(receipt));
    await new Promise((resolve) => setTimeout(resolve, 200));
    return letters.filter(({ state }) => ['ready', 'queued', 'sending'].includes(state)).length === moving;
  }, 'letters that have come to rest');
}
