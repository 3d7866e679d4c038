import { type Page, unescapeHtml, wordsOf } from './visitor.ts';

/** A letter as a page shows it: in the preview, or as the copy behind the receipt. */
export type Sheet = {
  from: { name: string; address: string };
  to: string;
  replyTo: string;
  subject: string;
  text: string;
  language: string;
};

/** Every letter that a page shows, in order. */
export function sheetsOn(page: Page): Sheet[] {
  const parts = [
    ...page.html.matchAll(
      /<dl class="letter-head">([\s\S]*?)<\/dl>\s*<pre class="letter-text" lang="([^"]*)" dir="auto">([\s\S]*?)<\/pre>/g,
    ),
  ];
  return parts.map(([, head = '', language = '', text = '']) => {
    const [from = '', to = '', replyTo = '', subject = ''] = [
      ...head.matchAll(/<dd[^>]*>([\s\S]*?)<\/dd>/g),
    ].map(([, html = '']) => wordsOf({ ...page, html }).trim());
    const [, name = '', address = ''] = /^(.*?) <(\S+)>$/.exec(from) ?? [];
    return {
      from: { name, address },
      to,
      replyTo: replyTo.split(' ')[0] ?? '',
      subject,
      text: unescapeHtml(text.replace(/^\n/, '')),
      language,
    };
  });
}
