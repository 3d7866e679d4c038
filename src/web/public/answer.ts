import { randomBytes } from 'node:crypto';
import type { Request, RequestHandler, Response } from 'express';
import type { Context } from '../../context.ts';
import { composeAnswer } from '../../replies/compose-answer.ts';
import {
  changeDraft,
  type Drafted,
  draftOnPage,
  sendable,
  sendDraft,
  throwAway,
} from '../../replies/draft-answer.ts';
import { type Answered, findAnsweredOnPage, findAnswerOnPage } from '../../replies/draft-store.ts';
import { caps, openContent } from '../../replies/reply.ts';
import type { Pages } from '../page.ts';
import { short } from './reply-status.ts';

/** The form in which an advocate answers a brand, below what the brand wrote. */
export function writeAnswer(context: Context, pages: Pages): RequestHandler {
  return async (request, response) => {
    const answered = await findAnsweredOnPage(context.database, tokenOf(request), handleOf(request));
    if (!answered) return sendGone(pages, request, response);
    showForm(context, pages, request, response, answered, { text: '' });
  };
}

/** Takes the form; the next page shows what will be sent. */
export function draftAnswer(context: Context, pages: Pages): RequestHandler {
  return async (request, response) => {
    const typed = readTyped(request);
    const token = tokenOf(request);
    const drafted = await draftOnPage(partsOf(context), token, handleOf(request), typed);
    const answered = await findAnsweredOnPage(context.database, token, handleOf(request));
    goOn(context, pages, request, response, { drafted, answered, typed });
  };
}

/** An answer exactly as it will be sent, and the buttons that send it or throw it away. It changes nothing. */
export function showAnswer(context: Context, pages: Pages): RequestHandler {
  return (request, response) => sendCheck(context, pages, request, response);
}

export function editAnswer(context: Context, pages: Pages): RequestHandler {
  return async (request, response) => {
    const answer = await findAnswerOnPage(context.database, tokenOf(request), handleOf(request));
    if (!answer) return sendGone(pages, request, response);
    const { text } = openContent(context.vault, answer, answer.draft_handle, answer.draft_content);
    showForm(context, pages, request, response, answer, { text });
  };
}

export function saveAnswer(context: Context, pages: Pages): RequestHandler {
  return async (request, response) => {
    const typed = readTyped(request);
    const token = tokenOf(request);
    const drafted = await changeDraft(partsOf(context), token, handleOf(request), typed.text);
    const answered = await findAnswerOnPage(context.database, token, handleOf(request));
    goOn(context, pages, request, response, { drafted, answered, typed });
  };
}

export function sendAnswer(context: Context, pages: Pages): RequestHandler {
  return async (request, response) => {
    const done = await sendDraft(context, tokenOf(request), handleOf(request));
    if (done === 'gone') return sendGone(pages, request, response);
    if (done !== 'sent') return sendCheck(context, pages, request, response, done);
    context.hint();
    response.redirect(303, `/r/${tokenOf(request)}#reply-${handleOf(request)}`);
  };
}

export function dropAnswer(context: Context, pages: Pages): RequestHandler {
  return async (request, response) => {
    const dropped = await throwAway(context, tokenOf(request), handleOf(request));
    if (!dropped) return sendGone(pages, request, response);
    response.redirect(303, `/r/${tokenOf(request)}`);
  };
}

type Typed = { submission: string; text: string };

/** A field that comes twice, which no browser sends, is an empty one. */
function readTyped({ body }: Request): Typed {
  const fields = (body ?? {}) as Record<string, unknown>;
  const read = (name: string) => (typeof fields[name] === 'string' ? fields[name] : '');
  return { submission: read('submission').slice(0, 64), text: read('text') };
}

type Next = { drafted: Drafted; answered: Answered | undefined; typed: Typed };

function goOn(
  context: Context,
  pages: Pages,
  request: Request,
  response: Response,
  { drafted, answered, typed }: Next,
): void {
  if (!answered || drafted.kind === 'gone') {
    sendGone(pages, request, response);
    return;
  }
  if (drafted.kind === 'drafted') {
    response.redirect(303, `/r/${tokenOf(request)}/answers/${drafted.handle}`);
    return;
  }
  const wrong = drafted.kind === 'full' ? 'full' : drafted.wrong;
  const problem = pages.locale(request).text(`answer.${wrong}`, { limit: caps.answer });
  showForm(context, pages, request, response, answered, { ...typed, problem });
}

type Shown = Partial<Typed> & { text: string; problem?: string };

function showForm(
  { vault }: Context,
  pages: Pages,
  request: Request,
  response: Response,
  answered: Answered,
  { submission = randomBytes(18).toString('base64url'), text, problem = '' }: Shown,
): void {
  const theirs = openContent(vault, answered, answered.handle, answered.content);
  const locale = pages.locale(request);
  const title = locale.text('answer.title', { brand: answered.brand });
  pages.send(
    request,
    response,
    'answer',
    {
      pageTitle: problem ? locale.text('site.error', { title }) : title,
      action: request.path.replace(/\/change$/, ''),
      back: `/r/${tokenOf(request)}`,
      brand: answered.brand,
      subject: theirs.subject,
      theirs: theirs.text,
      short: theirs.text.length <= short,
      submission,
      text,
      problems: problem ? [{ anchor: 'text', text: problem }] : [],
      limit: caps.answer,
    },
    problem ? 422 : 200,
  );
}

async function sendCheck(
  context: Context,
  pages: Pages,
  request: Request,
  response: Response,
  problem?: 'enough' | 'empty',
): Promise<void> {
  const { database, vault } = context;
  const answer = await findAnswerOnPage(database, tokenOf(request), handleOf(request));
  if (!answer) return sendGone(pages, request, response);
  const composed = await composeAnswer(partsOf(context), answer);
  const locale = pages.locale(request);
  const open = sendable(answer);
  const title = locale.text(open ? 'answer.checkTitle' : 'receipt.reply.own');
  const { byMail, fromElsewhere, cut } = openContent(
    vault,
    answer,
    answer.draft_handle,
    answer.draft_content,
  );
  pages.send(
    request,
    response,
    'answer-check',
    {
      title,
      pageTitle: problem ? locale.text('site.error', { title }) : title,
      action: `/r/${tokenOf(request)}/answers/${answer.draft_handle}`,
      back: `/r/${tokenOf(request)}`,
      brand: answer.brand,
      letter: { ...composed, brand: answer.brand },
      named: composed.named,
      reachable: composed.to !== undefined,
      open,
      again: answer.draft_state === 'unknown',
      byMail: byMail ?? false,
      fromElsewhere: fromElsewhere ?? false,
      cut,
      limit: caps.answer,
      problem: problem ? locale.text(`answer.${problem}`) : '',
    },
    problem ? 422 : 200,
  );
}

/** An answer that is not there says nothing about the letters, and about what is kept with them. */
function sendGone(pages: Pages, request: Request, response: Response): void {
  pages.send(request, response, 'answer-gone', { back: `/r/${tokenOf(request)}` }, 404);
}

function partsOf({ database, vault, wordings, config }: Context) {
  return { database, vault, wordings, mailDomain: config.mailDomain };
}

const tokenOf = (request: Request) => String(request.params.token);
const handleOf = (request: Request) => String(request.params.handle);
