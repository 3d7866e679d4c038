import type { ErrorRequestHandler, Request, RequestHandler, Response } from 'express';
import type { Context } from '../context.ts';
import { isPassing } from '../db/database.ts';
import { UsedUp } from '../letters/write-letters.ts';
import { onThisHost } from './on-this-host.ts';
import type { Pages } from './page.ts';
import { type Fault, Refusal } from './refusal.ts';

/** The page for a visitor who asks too often. */
export function tooMany(pages: Pages) {
  return (request: Request, response: Response, minutes: number) =>
    sendFault(pages, request, response, 429, 'tooMany', minutes);
}

/**
 * What is refused before a limit counts towards it as well. Beyond it there is nothing to repeat: a form of another
 * site must not become one that could be pressed here.
 */
export function countRefused(limited: RequestHandler): ErrorRequestHandler {
  return (error, request, response, next) => {
    request.body = undefined;
    limited(request, response, () => next(error));
  };
}

function sendFault(
  pages: Pages,
  request: Request,
  response: Response,
  status: number,
  fault: Fault,
  minutes = 1,
) {
  const locale = pages.locale(request);
  const again = status >= 500 || status === 429 ? repeat(request) : undefined;
  const isUnread = status === 429 && !again;
  const [title, text] = [`fault.${fault}Title`, isUnread ? 'fault.tooManyUnread' : `fault.${fault}Text`].map(
    (key) => locale.text(key, { minutes }),
  );
  pages.send(request, response, 'fault', { title, text, again }, status);
}

/** What it takes to ask the same once more: neither a failure of ours nor a crowd costs anybody what they typed. */
function repeat({ method, baseUrl, path, body }: Request) {
  if (method === 'POST' && !body) return undefined;
  const fields = Object.entries((body ?? {}) as Record<string, string | string[]>)
    .filter(([name]) => name !== '_csrf')
    .flatMap(([name, values]) => [values].flat().map((value) => ({ name, value })));
  return { action: onThisHost(baseUrl + path), posts: method === 'POST', fields };
}

/** Every failure becomes a page that says what happened and what to do; surprises are logged as well. */
export function explain({ log }: Context, pages: Pages): ErrorRequestHandler {
  return (error, request, response, next) => {
    const { status, fault } = refusalOf(error, request.method);
    if (status >= 500) log.error({ err: error, route: request.route?.path }, 'a request failed');
    if (response.headersSent) return next(error);
    sendFault(pages, request, response, status, fault);
  };
}

/**
 * When not even that page can be made: one plain sentence. Express would answer with a stack trace, and write to
 * stderr past our log.
 */
export function lastResort({ log }: Pick<Context, 'log'>): ErrorRequestHandler {
  return (error, request, response, _next) => {
    log.error({ err: error, route: request.route?.path }, 'a request could not be answered with a page');
    if (response.headersSent) return void request.socket.destroy(); // half a page must not look like a whole one
    response.status(500).type('text/plain').send('Something went wrong on our side. Please try again.\n');
  };
}

function refusalOf(error: unknown, method: string): { status: number; fault: Fault } {
  if (error instanceof Refusal) return error;
  if (error instanceof UsedUp) return { status: 409, fault: 'usedUp' };
  // of the body parser and the router (http-errors); a visitor who went away in mid-form looks like a lost connection
  const status = (error as { status?: unknown }).status;
  if (status === 413) return { status, fault: 'tooLarge' };
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return { status, fault: method === 'POST' ? 'badRequest' : 'notFound' };
  }
  if (isPassing(error)) return { status: 503, fault: 'away' };
  return { status: 500, fault: 'broken' };
}
