import type { Request, RequestHandler } from 'express';
import { textsIn } from '../../campaigns/campaign.ts';
import type { Context } from '../../context.ts';
import { cancelLetters, eraseAdvocate } from '../../letters/cancel-letters.ts';
import { cancellable } from '../../letters/letter.ts';
import { type Receipt, type ReceiptLetter, readCopy, readReceipt } from '../../letters/receipt.ts';
import { personalDays } from '../../letters/retention.ts';
import { readReplies } from '../../replies/read-replies.ts';
import type { Pages } from '../page.ts';
import { describeLetters } from './letter-status.ts';

/** An advocate's private page: every letter, and what happened to it. */
export function showReceipt(context: Context, pages: Pages): RequestHandler {
  return async (request, response) => {
    const receipt = await find(context, request);
    if (!receipt) return pages.send(request, response, 'gone', {}, 404);
    const locale = pages.locale(request);
    const { title, textLanguage } = textsIn(receipt.campaign, [locale.language]);
    const cancelled = Number(request.query.cancelled ?? Number.NaN);
    pages.send(request, response, 'receipt', {
      campaign: title,
      textLanguage,
      slug: receipt.campaign.slug,
      days: personalDays,
      patterns: JSON.stringify(locale.patterns ?? null),
      notice:
        Number.isInteger(cancelled) && cancelled >= 0
          ? locale.text('receipt.cancelled', { count: cancelled })
          : '',
      ...describeLetters(
        receipt,
        await readReplies(context.database, context.vault, receipt.advocateId),
        tokenOf(request),
        locale,
      ),
    });
  };
}

/** A letter as it is sent: as a page, or as a text file. */
export function showCopy(context: Context, pages: Pages, as: 'page' | 'file'): RequestHandler {
  return async (request, response) => {
    const { config } = context;
    const copy = await readCopy(context, config.mailDomain, tokenOf(request), String(request.params.handle));
    if (!copy) return pages.send(request, response, 'gone', {}, 404);
    if (as === 'page') {
      return pages.send(request, response, 'copy', {
        letter: copy,
        path: request.path,
        back: `/r/${tokenOf(request)}`,
      });
    }
    const locale = pages.locale(request);
    const head = [
      `${locale.text('preview.from')}: ${copy.from.name} <${copy.from.address}>`,
      `${locale.text('preview.replyTo')}: ${copy.replyTo}`,
      `${locale.text('preview.to')}: ${copy.brand}`,
      `${locale.text('preview.subject')}: ${copy.subject}`,
    ];
    response
      .attachment('letter.txt')
      .type('text/plain')
      .send(`${head.join('\n')}\n\n${copy.text}\n`);
  };
}

/** Takes back one letter, or all that wait. */
export function cancel(context: Context, pages: Pages): RequestHandler {
  return async (request, response) => {
    const { handle } = request.params;
    const cancelled = await cancelLetters(
      context,
      tokenOf(request),
      handle === undefined ? undefined : String(handle),
    );
    if (cancelled === undefined) return pages.send(request, response, 'gone', {}, 404);
    response.redirect(303, `/r/${tokenOf(request)}?cancelled=${cancelled}`);
  };
}

/** Asks once more before it erases. */
export function askToErase(context: Context, pages: Pages): RequestHandler {
  return async (request, response) => {
    const receipt = await find(context, request);
    if (!receipt) return pages.send(request, response, 'gone', {}, 404);
    pages.send(request, response, 'erase', {
      action: request.path,
      back: `/r/${tokenOf(request)}`,
      waiting: receipt.letters.filter(({ state }) => cancellable.includes(state)).length,
      reached: receipt.letters.some(mayHaveLeft),
    });
  };
}

/** Whether a letter, or an earlier one in its place, may be with the brand: then the mark of it stays. */
function mayHaveLeft({ state, events }: ReceiptLetter): boolean {
  const isTakenBack = state === 'cancelled' && !events.some(({ type }) => type === 'duplicate_found');
  return !isTakenBack && !cancellable.includes(state);
}

export function erase(context: Context, pages: Pages): RequestHandler {
  return async (request, response) => {
    const erased = await eraseAdvocate(context, tokenOf(request));
    if (!erased) return pages.send(request, response, 'gone', {}, 404);
    response.redirect(303, '/erased');
  };
}

export function showErased(pages: Pages): RequestHandler {
  return (request, response) => pages.send(request, response, 'erased', {});
}

function find({ database, config }: Context, request: Request): Promise<Receipt | undefined> {
  return readReceipt(database, tokenOf(request), config.mailDomain);
}

function tokenOf(request: Request): string {
  return String(request.params.token);
}
