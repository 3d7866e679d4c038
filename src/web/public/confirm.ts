import type { Request, RequestHandler, Response } from 'express';
import { statusOf, textsIn } from '../../campaigns/campaign.ts';
import { findCampaign } from '../../campaigns/campaign-store.ts';
import type { Context } from '../../context.ts';
import { readStanding } from '../../hold/hold.ts';
import { eraseDrafts } from '../../letters/cancel-letters.ts';
import { lookAtConfirmation } from '../../letters/confirm-letters.ts';
import { type Copy, readDrafts, readWaiting } from '../../letters/receipt.ts';
import { draftDays } from '../../letters/retention.ts';
import { askAgain } from '../../notices/ask-again.ts';
import { maskAddress } from '../../people/address.ts';
import { noticesPerDay } from '../../people/confirmation-cap.ts';
import { numberOf } from '../../people/token.ts';
import type { Pages } from '../page.ts';
import { Refusal } from '../refusal.ts';

/** "Look into your mailbox". */
export function showWaiting({ database, vault }: Context, pages: Pages): RequestHandler {
  return async (request, response) => {
    const waiting = await readWaiting(database, vault, String(request.params.token));
    if (!waiting) return pages.send(request, response, 'gone', {}, 404);
    pages.send(request, response, 'waiting', {
      action: request.path,
      address: maskAddress(waiting.address),
      number: waiting.number,
      brands: waiting.brands,
      count: waiting.brands.length,
      confirmed: waiting.confirmed,
      held: (await readStanding(database)).hold !== undefined,
      again: request.query.again !== undefined,
      limit: noticesPerDay,
      days: draftDays,
    });
  };
}

/** Has the mail sent once more. The answer is the same whether it was: see askAgain. */
export function sendMailAgain({ database, vault, hint }: Context): RequestHandler {
  return async (request, response) => {
    const token = String(request.params.token);
    await askAgain(database, vault, token);
    hint();
    response.redirect(303, `/sent/${token}?again`);
  };
}

/** What the link in the mail opens: a page with the button. It changes nothing. */
export function showConfirmation(context: Context, pages: Pages): RequestHandler {
  return sendConfirmation(context, pages, async () => []);
}

/**
 * The same page with the letters, for whoever wants to read them before the button sends them. It is asked for by a
 * button of its own, since mail scanners and colleagues open links.
 */
export function showUnconfirmed(context: Context, pages: Pages): RequestHandler {
  return sendConfirmation(context, pages, (token, ids) =>
    readDrafts(context, context.config.mailDomain, token, ids),
  );
}

type Read = (token: string, ids: readonly string[]) => Promise<Copy[]>;

function sendConfirmation(context: Context, pages: Pages, read: Read): RequestHandler {
  const { database, vault } = context;
  return async (request, response) => {
    const token = String(request.params.token);
    const found = await lookAtConfirmation(database, vault, token);
    switch (found.kind) {
      case 'confirmed':
        return response.redirect(303, `/r/${found.receipt}`);
      case 'unknown link':
        return pages.send(request, response, 'confirm-unknown', { days: draftDays }, 404);
      case 'closed':
        return sendClosed(context, pages, request, response, found.slug);
      case 'waiting': {
        const { ids, brands, alreadyWritten, named } = found;
        const letters = await read(token, ids);
        const already = alreadyWritten.length > 0 ? pages.locale(request).list(alreadyWritten) : '';
        return pages.send(request, response, 'confirm', {
          action: `/confirm/${token}`,
          brands,
          count: brands.length,
          letters: letters.map((letter, index) => ({ ...letter, open: index === 0 })),
          already,
          named,
          number: numberOf(token),
          days: draftDays,
        });
      }
    }
  };
}

/** The button. */
export function confirm(context: Context, pages: Pages): RequestHandler {
  const { confirmLetters, hint } = context;
  return async (request, response) => {
    const done = await confirmLetters(String(request.params.token));
    switch (done.kind) {
      case 'confirmed':
        hint();
        return response.redirect(303, `/r/${done.receipt}`);
      case 'unknown link':
        return pages.send(request, response, 'confirm-unknown', { days: draftDays }, 404);
      case 'closed':
        return sendClosed(context, pages, request, response, done.slug);
    }
  };
}

/** Asks once more before unconfirmed letters are erased, on the way that leads from the page after the form. */
export function askToEraseWaiting({ database, vault }: Context, pages: Pages): RequestHandler {
  return async (request, response) => {
    const token = String(request.params.token);
    const waiting = await readWaiting(database, vault, token);
    if (!waiting) return pages.send(request, response, 'gone', {}, 404);
    if (waiting.confirmed) return response.redirect(303, `/sent/${token}`);
    pages.send(request, response, 'erase', { draft: true, action: request.path, back: `/sent/${token}` });
  };
}

/** The same on the way that leads from the mail. Who has confirmed meanwhile is asked about all that there is by now. */
export function askToEraseUnconfirmed({ database, vault }: Context, pages: Pages): RequestHandler {
  return async (request, response) => {
    const token = String(request.params.token);
    const found = await lookAtConfirmation(database, vault, token);
    if (found.kind === 'confirmed') return response.redirect(303, `/r/${found.receipt}/erase`);
    if (found.kind === 'unknown link') return response.redirect(303, `/confirm/${token}`);
    pages.send(request, response, 'erase', { draft: true, action: request.path, back: `/confirm/${token}` });
  };
}

/** @param by whose token it is: that of the page after the form, or that of the mail's link */
export function eraseUnconfirmed(context: Context, by: 'waiting' | 'confirm'): RequestHandler {
  return async (request, response) => {
    const erased = await eraseDrafts(context, by, String(request.params.token));
    response.redirect(303, erased ? '/erased' : request.path); // which leads to why not
  };
}

async function sendClosed(
  { database, config }: Context,
  pages: Pages,
  request: Request,
  response: Response,
  slug: string,
): Promise<void> {
  const campaign = await findCampaign(database, slug, config.mailDomain);
  if (!campaign) throw new Refusal(404, 'notFound');
  const { title, textLanguage } = textsIn(campaign, [pages.locale(request).language]);
  const erase = `/confirm/${request.params.token}/erase`;
  const data = { slug, title, textLanguage, status: statusOf(campaign), days: draftDays, erase };
  pages.send(request, response, 'closed', data, 410);
}
