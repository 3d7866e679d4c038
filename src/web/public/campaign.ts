import { randomBytes } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import {
  type Campaign,
  type CampaignBrand,
  statusOf,
  textsIn,
  type Wording,
} from '../../campaigns/campaign.ts';
import { brandsOf, findCampaign } from '../../campaigns/campaign-store.ts';
import type { Context } from '../../context.ts';
import { letterHandle } from '../../letters/alias.ts';
import { composeLetter } from '../../letters/compose.ts';
import {
  blankTyped,
  checkSubmission,
  type Problem,
  readTyped,
  type Submission,
  type Typed,
} from '../../letters/submission.ts';
import type { Pages } from '../page.ts';
import { Refusal } from '../refusal.ts';
import { letterForm, sourceOf } from './letter-form.ts';
import { keepPublicCount } from './public-count.ts';

/** A campaign, and what its letters are made of. */
type Desk = { campaign: Campaign; brands: CampaignBrand[]; wordings: Wording[] };

/** The campaign's page: story, ask, sources, and the form. */
export function showCampaign(context: Context, pages: Pages): RequestHandler {
  const publicCount = keepPublicCount(context);
  return async (request, response) => {
    const desk = await openDesk(context, request);
    const locale = pages.locale(request);
    const texts = textsIn(desk.campaign, [locale.language]);
    const typed = blankTyped(mintSubmissionId(), firstLanguage(locale.language, desk));
    response.set('Cache-Control', keepsTyped);
    pages.send(request, response, 'campaign', {
      ...texts,
      story: texts.story.map((part) => ({
        ...part,
        sources: part.source.map((key) => sourceOf(texts, key)),
      })),
      sources: texts.sources.map(({ key }) => sourceOf(texts, key)),
      status: statusOf(desk.campaign),
      count: await publicCount(desk.campaign),
      form: letterForm({ locale, ...desk, typed }),
    });
  };
}

/**
 * Firefox empties the form of a page that may not be stored when somebody comes back to it. This one is public, and
 * says nothing about its reader; what they type is not part of it. It is asked for anew each time, as the others are.
 */
const keepsTyped = 'private, no-cache';

/** The form again, as it was filled in: the way back from the preview. */
export function editLetter(context: Context, pages: Pages): RequestHandler {
  return async (request, response) => {
    const desk = await openDesk(context, request);
    sendForm(pages, request, response, desk, typedIn(request), [], 200);
  };
}

/** Shows each letter as it will be sent. Stores nothing. */
export function previewLetter(context: Context, pages: Pages): RequestHandler {
  return async (request, response) => {
    const desk = await openDesk(context, request);
    const submission = readOrAsk(context, pages, request, response, desk);
    if (!submission) return;
    const { key, brands, wording, said, address, campaign, identity } = submission;
    pages.send(request, response, 'preview', {
      slug: campaign.slug,
      typed: typedIn(request),
      address,
      count: brands.length,
      named: identity === 'named',
      letters: brands.map((brand, index) => ({
        brand: brand.name,
        open: index === 0,
        ...composeLetter({
          wording,
          brand,
          said,
          handle: letterHandle(context.vault, key, brand.id),
          domain: campaign.mailDomain,
        }),
      })),
    });
  };
}

/** Stores the letters, then promises to have them. */
export function sendLetter(context: Context, pages: Pages): RequestHandler {
  return async (request, response) => {
    const desk = await openDesk(context, request);
    const submission = readOrAsk(context, pages, request, response, desk);
    if (!submission) return;
    const { language } = pages.locale(request);
    const { waiting } = await context.writeLetters({ submission, language });
    context.hint();
    response.redirect(303, `/sent/${waiting}`);
  };
}

/** Answers a form that came too often: with the form, so that nothing typed is lost. */
export function tooManyLetters(context: Context, pages: Pages) {
  return async (request: Request, response: Response, minutes: number): Promise<void> => {
    const desk = await openDesk(context, request);
    const problem: Problem = { field: 'submission', message: 'form.tooMany', values: { minutes } };
    sendForm(pages, request, response, desk, typedIn(request), [problem], 429);
  };
}

async function openDesk({ database, config, wordings }: Context, request: Request): Promise<Desk> {
  const campaign = await findCampaign(database, String(request.params.slug), config.mailDomain);
  if (!campaign) throw new Refusal(404, 'notFound');
  const [brands, newest] = await Promise.all([brandsOf(database, campaign.id), wordings.newest(campaign.id)]);
  return { campaign, brands, wordings: newest };
}

function typedIn(request: Request): Typed {
  const typed = readTyped(request.body);
  if (!typed) throw new Refusal(400, 'badRequest');
  return typed;
}

/** The checked submission; undefined when the answer, with what is to be mended, has been sent. */
function readOrAsk(
  { vault }: Context,
  pages: Pages,
  request: Request,
  response: Response,
  desk: Desk,
): Submission | undefined {
  const typed = typedIn(request);
  if (!desk.campaign.open) {
    sendForm(pages, request, response, desk, typed, [], 409);
    return undefined;
  }
  const checked = checkSubmission(typed, { vault, ...desk });
  if (checked.ok) return checked.submission;
  sendForm(pages, request, response, desk, typed, checked.problems, 422);
  return undefined;
}

function sendForm(
  pages: Pages,
  request: Request,
  response: Response,
  desk: Desk,
  typed: Typed,
  problems: Problem[],
  status: number,
): void {
  const locale = pages.locale(request);
  const title = locale.text('form.title');
  const data = {
    about: textsIn(desk.campaign, [locale.language]),
    pageTitle: problems.length > 0 ? locale.text('site.error', { title }) : title,
    status: statusOf(desk.campaign),
    form: letterForm({
      locale,
      ...desk,
      typed: numbered(typed, problems),
      problems,
      sourcesAt: `/c/${desk.campaign.slug}`,
    }),
  };
  pages.send(request, response, 'letter', data, status);
}

/** A form that lost its number could never be sent: it gets a new one. */
function numbered(typed: Typed, problems: Problem[]): Typed {
  const lost = problems.some(({ message }) => message === 'form.submission.invalid');
  return lost ? { ...typed, submission: mintSubmissionId() } : typed;
}

/** The hidden id that makes a double click, a reload and the back button one submission. */
function mintSubmissionId(): string {
  return randomBytes(18).toString('base64url');
}

function firstLanguage(language: string, { wordings }: Desk): string {
  const found = [language, 'en'].find((wanted) => wordings.some((wording) => wording.language === wanted));
  return found ?? wordings[0]?.language ?? 'en';
}
