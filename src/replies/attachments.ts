import { plainLine } from './plain-text.ts';
import type { Cargo, Listed } from './reply.ts';

/** An attachment as it came. */
export type Attached = { name: string; bytes: Buffer };

/** How much of one mail is passed on; the rest is listed. */
export const attachmentLimits = {
  count: 10,
  each: 3 * 1024 * 1024,
  total: 3.5 * 1024 * 1024,
  listed: 30,
} as const;

/**
 * What is passed on, by the end of its name, and as what. We never look inside, so this is for what programs do with a
 * file of that name: these run nothing and load nothing from elsewhere without asking. Web pages, office documents
 * and programs can tell their sender who opened them, and where.
 */
const passable = new Map([
  ['pdf', 'application/pdf'],
  ['txt', 'text/plain'],
  ['jpg', 'image/jpeg'],
  ['jpeg', 'image/jpeg'],
  ['png', 'image/png'],
]);

/** Tells what of a mail's attachments goes on to the advocate, and lists all of them. Pure. */
export function sortAttachments(attached: readonly Attached[]): { listed: Listed[]; cargo: Cargo[] } {
  const cargo: Cargo[] = [];
  let total = 0;
  const listed = attached.slice(0, attachmentLimits.listed).map(({ name, bytes }): Listed => {
    const shown = fileName(name);
    const known = passable.get(/\.([a-z0-9]+)$/.exec(shown.toLowerCase())?.[1] ?? '');
    const passed =
      known !== undefined &&
      cargo.length < attachmentLimits.count &&
      bytes.length <= attachmentLimits.each &&
      total + bytes.length <= attachmentLimits.total;
    if (passed) {
      cargo.push({ name: shown, type: known, bytes });
      total += bytes.length;
    }
    return { name: shown, size: bytes.length, passed };
  });
  return { listed, cargo };
}

/** A name as a file may have it anywhere: no path, no controls; its end stays, since it says what it is. */
function fileName(name: string): string {
  const bare = plainLine(name.split(/[/\\]/).at(-1) ?? '', 400).replace(/[<>:"|?*]/g, '_');
  const [, stem = '', end = ''] = /^(.*?)(\.[A-Za-z0-9]{1,8})?$/su.exec(bare) ?? [];
  return `${[...stem].slice(0, 60).join('') || '—'}${end}`;
}
