import { simpleParser } from 'mailparser';
import type { Instance } from './instance.ts';
import type { TestSmtp } from './smtp.ts';
import { fieldOf, type Page, unescapeHtml, type Visitor } from './visitor.ts';

export const campaignPath = '/c/speak-out-for-central';

/** A complete form; each test changes what it is about. */
export function letterFields(
  changes: Record<string, string | string[]> = {},
): Record<string, string | string[]> {
  return {
    submission: randomId(),
    brand: ['hm'],
    identity: 'counted',
    name: '',
    description: '',
    country: '',
    email: 'advocate@mail.example',
    reason: ['customer'],
    words: '',
    language: 'en',
    ...changes,
  };
}

export function randomId(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(18))).toString('base64url');
}

/** Loads the form, fills it in and sends it; the page that says "look into your mailbox" is returned. */
export async function writeLetters(
  visitor: Visitor,
  changes: Record<string, string | string[]> = {},
): Promise<string> {
  const form = await visitor.get(campaignPath);
  const fields = letterFields({ submission: fieldOf(form, 'submission'), ...changes });
  const sent = await visitor.post(`${campaignPath}/letters`, fields);
  if (sent.status !== 303) throw new Error(`the letters were not taken: ${sent.status}`);
  return sent.location;
}

/** Waits until `look` gives something, asking ever more rarely, down to twice a second: pages are limited. */
export async function until<Result>(
  look: () => Promise<Result | undefined | false>,
  what = 'it',
  patience = 60_000,
): Promise<Result> {
  const deadline = Date.now() + patience;
  for (let pause = 100; ; pause = Math.min(1.1 * pause, 500)) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/** Where mail arrives: the instance's own catcher, or the SMTP server that stands in for the world. */
export type Mailboxes = Instance | TestSmtp;

/** The messages that arrived for an address, oldest first. */
export async function mailFor(mailboxes: Mailboxes, address: string) {
  const mails = await Promise.all((await arrived(mailboxes)).map((raw) => simpleParser(raw)));
  return mails.filter((mail) =>
    [mail.to ?? []].flat().some(({ value }) => value.some((box) => box.address === address)),
  );
}

async function arrived(mailboxes: Mailboxes): Promise<Buffer[]> {
  if ('accepted' in mailboxes) return mailboxes.accepted.map(({ raw }) => raw);
  const { catcher } = mailboxes.context;
  if (!catcher) throw new Error('this instance has no catcher');
  const ids = (await catcher.list()).reverse();
  return Promise.all(ids.map(async (id) => (await catcher.read(id)) ?? Buffer.alloc(0)));
}

/** The link in the newest confirmation mail to an address, as a path. */
export async function confirmationLink(mailboxes: Mailboxes, address: string, count = 1): Promise<string> {
  const mails = await until(async () => {
    const found = await mailFor(mailboxes, address);
    return found.length >= count ? found : undefined;
  }, `mail ${count} to an advocate`);
  const link = /\/confirm\/[A-Za-z0-9_-]{43}/.exec(mails.at(-1)?.text ?? '')?.[0];
  if (!link) throw new Error('the mail holds no link');
  return link;
}

/** Waits until all mails to advocates that were asked for have been sent: several are sent at a time, in any order. */
export async function untilMailsAreSent({ query }: Pick<Instance, 'query'>): Promise<void> {
  const unsent = "select 1 from notice where state <> 'accepted'";
  await until(async () => (await query(unsent)).length === 0, 'the end of all mails');
}

/** From the form to the private page: writes, reads the mail, presses the button. */
export async function writeAndConfirm(
  mailboxes: Mailboxes,
  visitor: Visitor,
  changes: Record<string, string | string[]> = {},
): Promise<string> {
  const before = (await mailFor(mailboxes, String(changes.email ?? 'advocate@mail.example'))).length;
  await writeLetters(visitor, changes);
  const link = await confirmationLink(
    mailboxes,
    String(changes.email ?? 'advocate@mail.example'),
    before + 1,
  );
  const confirmed = await visitor.post(link);
  if (confirmed.status !== 303) throw new Error(`not confirmed: ${confirmed.status}`);
  return confirmed.location;
}

/** What a receipt says of each letter. */
export function lettersOn(page: Page): { brand: string; state: string; handle: string }[] {
  if (page.status === 429)
    throw new Error('private pages were opened too often: this one tells nothing of letters');
  return [...page.html.matchAll(/data-letter="([^"]*)" data-brand="([^"]*)" data-state="([^"]*)"/g)].map(
    ([, handle = '', brand = '', state = '']) => ({ handle, brand, state }),
  );
}

export type TimelineEvent = { type: string; code: string; host: string; response: string };

/** What a receipt says happened to the letter to a brand, in order. */
export function timelineOn(page: Page, brand: string): TimelineEvent[] {
  const letter = page.html
    .split('<article ')
    .find((part) => part.includes(`data-brand="${brand}"`))
    ?.split('</article>')[0];
  return [...(letter ?? '').matchAll(/<li data-type="[^>]*>/g)].map(([tag]) => {
    const read = (name: string) => unescapeHtml(new RegExp(`data-${name}="([^"]*)"`).exec(tag)?.[1] ?? '');
    return { type: read('type'), code: read('code'), host: read('host'), response: read('response') };
  });
}
