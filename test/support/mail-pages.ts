import { until, writeLetters } from './advocate.ts';
import { unescapeHtml, type Visitor } from './visitor.ts';

/** Where the confirmation mail to an address leads, read on the pages of the built-in catcher. */
export async function linkOnMailPages(visitor: Visitor, address: string): Promise<string> {
  return until(
    async () => {
      const list = await visitor.get('/mail');
      for (const [, path = ''] of list.html.matchAll(/href="(\/mail\/[0-9a-z-]+)"/g)) {
        const mail = unescapeHtml((await visitor.get(path)).html);
        const link = /\/confirm\/[A-Za-z0-9_-]{43}/.exec(mail)?.[0];
        if (link && mail.includes(address)) return link;
      }
      return undefined;
    },
    'a confirmation mail',
    60_000,
  );
}

/** From the form to the private page, with nothing but what the pages of an instance show. */
export async function writeByPages(
  visitor: Visitor,
  changes: Record<string, string | string[]> & { email: string },
): Promise<string> {
  await writeLetters(visitor, changes);
  const confirmed = await visitor.post(await linkOnMailPages(visitor, changes.email));
  if (confirmed.status !== 303) throw new Error(`not confirmed: ${confirmed.status}`);
  return confirmed.location;
}
