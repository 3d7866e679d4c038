import express, { type Express, type RequestHandler } from 'express';
import { looksLikeSlug } from '../campaigns/campaign.ts';
import type { Context } from '../context.ts';
import { looksLikeToken } from '../people/token.ts';
import { readCookies } from './cookies.ts';
import { createCsrf } from './csrf.ts';
import { countRefused, explain, lastResort, tooMany } from './faults.ts';
import { assets, neverStored, securityHeaders } from './headers.ts';
import { limit } from './limits.ts';
import { onThisHost } from './on-this-host.ts';
import { createPages, languageCookie } from './page.ts';
import {
  draftAnswer,
  dropAnswer,
  editAnswer,
  saveAnswer,
  sendAnswer,
  showAnswer,
  writeAnswer,
} from './public/answer.ts';
import { editLetter, previewLetter, sendLetter, showCampaign, tooManyLetters } from './public/campaign.ts';
import {
  askToEraseUnconfirmed,
  askToEraseWaiting,
  confirm,
  eraseUnconfirmed,
  sendMailAgain,
  showConfirmation,
  showUnconfirmed,
  showWaiting,
} from './public/confirm.ts';
import { health, readiness } from './public/health.ts';
import { home, how } from './public/home.ts';
import { isForHere, onlyHere, showMail, showMessage, showSource } from './public/mail.ts';
import { askToErase, cancel, erase, showCopy, showErased, showReceipt } from './public/receipt.ts';
import { createReceiptStream } from './public/receipt-stream.ts';
import { Refusal } from './refusal.ts';
import { loadViews } from './views.ts';

/** No letter is near this size; what is larger is not a form of ours. */
const largestForm = '64kb';

/** Every middleware and every route, in order. */
export async function createApp(context: Context): Promise<{ app: Express; close(): void }> {
  const { config, vault, locales, log } = context;
  const catcher = isForHere(config) ? context.catcher : undefined;
  const secure = config.publicUrl?.startsWith('https:') ?? false;
  const csrf = createCsrf(vault.keyFor('csrf'), secure);
  const pages = createPages({
    views: await loadViews(),
    locales,
    csrf: csrf.token,
    demo: context.catcher !== undefined,
    mailPages: catcher !== undefined,
  });
  const stream = createReceiptStream(context, pages);
  const app = express();
  app.disable('x-powered-by');
  app.set('trust proxy', config.trustProxy);
  app.set('query parser', 'simple');

  app.use(logRequests(log));
  app.use(securityHeaders(secure));
  app.use(readCookies());
  app.use('/assets', assets());
  app.use(neverStored);
  app.get('/healthz', health);
  app.get('/readyz', readiness(context));
  app.use(formsOnly, express.urlencoded({ extended: false, limit: largestForm, parameterLimit: 400 }));
  app.use(csrf.protect);
  const pagesLimit = limit('pages', tooMany(pages)); // knows by now what was typed, and can give it back
  app.use(countRefused(pagesLimit), pagesLimit);
  app.use(chooseLanguage(context, secure));
  app.param('slug', (_request, _response, next, slug) =>
    next(looksLikeSlug(slug) ? undefined : new Refusal(404, 'notFound')),
  );
  app.param('token', (_request, _response, next, token) =>
    next(looksLikeToken(token) ? undefined : new Refusal(404, 'incomplete')),
  );
  app.param('handle', (_request, _response, next, handle) =>
    next(/^[0-9a-f]{20}$/.test(handle) ? undefined : new Refusal(404, 'notFound')),
  );

  app.get('/', home(context, pages));
  app.get('/how', how(pages));

  const formsLimit = limit('forms', tooManyLetters(context, pages));
  const lettersLimit = limit('letters', tooManyLetters(context, pages));
  app.get('/c/:slug', showCampaign(context, pages));
  app.post('/c/:slug', formsLimit, editLetter(context, pages));
  app.post('/c/:slug/preview', formsLimit, previewLetter(context, pages));
  app.post('/c/:slug/letters', lettersLimit, sendLetter(context, pages));
  app.get(['/c/:slug/preview', '/c/:slug/letters'], (request, response) =>
    response.redirect(303, `/c/${request.params.slug}`),
  );

  const linksLimit = limit('links', tooMany(pages));
  app.get('/sent/:token', linksLimit, showWaiting(context, pages));
  app.post('/sent/:token/again', limit('letters', tooMany(pages)), sendMailAgain(context));
  app.get('/sent/:token/erase', linksLimit, askToEraseWaiting(context, pages));
  app.post('/sent/:token/erase', linksLimit, eraseUnconfirmed(context, 'waiting'));
  app.get('/confirm/:token', linksLimit, showConfirmation(context, pages));
  app.post('/confirm/:token', linksLimit, confirm(context, pages));
  app.post('/confirm/:token/letters', linksLimit, showUnconfirmed(context, pages));
  app.get('/confirm/:token/letters', linksLimit, (request, response) =>
    response.redirect(303, `/confirm/${request.params.token}`),
  );
  app.get('/confirm/:token/erase', linksLimit, askToEraseUnconfirmed(context, pages));
  app.post('/confirm/:token/erase', linksLimit, eraseUnconfirmed(context, 'confirm'));

  app.use('/r', linksLimit);
  app.get('/r/:token', showReceipt(context, pages));
  app.get('/r/:token/events', stream.open);
  app.get('/r/:token/letters/:handle', showCopy(context, pages, 'page'));
  app.get('/r/:token/letters/:handle/letter.txt', showCopy(context, pages, 'file'));
  app.post('/r/:token/letters/:handle/cancel', cancel(context, pages));
  app.post('/r/:token/cancel', cancel(context, pages));
  app.get('/r/:token/erase', askToErase(context, pages));
  app.post('/r/:token/erase', erase(context, pages));
  app.get('/erased', showErased(pages));
  app.get('/r/:token/replies/:handle/answer', writeAnswer(context, pages));
  app.post('/r/:token/replies/:handle/answer', draftAnswer(context, pages));
  app.get('/r/:token/answers/:handle', showAnswer(context, pages));
  app.get('/r/:token/answers/:handle/change', editAnswer(context, pages));
  app.post('/r/:token/answers/:handle', saveAnswer(context, pages));
  app.post('/r/:token/answers/:handle/send', sendAnswer(context, pages));
  app.post('/r/:token/answers/:handle/drop', dropAnswer(context, pages));

  if (catcher) {
    app.use('/mail', onlyHere);
    app.get('/mail', showMail(catcher, pages));
    app.get('/mail/:id', showMessage(catcher, pages));
    app.get('/mail/:id/raw', showSource(catcher));
  }

  app.use((_request, _response, next) => next(new Refusal(404, 'notFound')));
  app.use(explain(context, pages), lastResort(context));
  return { app, close: stream.close };
}

/** Route, status and time, at debug level; never the path, which may hold a private token, nor who asked. */
function logRequests(log: Context['log']): RequestHandler {
  return (request, response, next) => {
    const started = performance.now();
    response.on('finish', () => {
      const route = (request.route as { path?: unknown } | undefined)?.path ?? 'none';
      const milliseconds = Math.round(performance.now() - started);
      log.debug({ method: request.method, route, status: response.statusCode, milliseconds }, 'request');
    });
    next();
  };
}

/** A body is a form or it is refused, before anything reads it. */
const formsOnly: RequestHandler = (request, response, next) => {
  const safe = request.method === 'GET' || request.method === 'HEAD';
  if (!safe && request.method !== 'POST') {
    response.set('Allow', 'GET, HEAD, POST'); // RFC 9110 section 15.5.6
    return next(new Refusal(405, 'mediaType'));
  }
  next(safe || request.is('application/x-www-form-urlencoded') ? undefined : new Refusal(415, 'mediaType'));
};

/** `?lang=xx` is remembered in a cookie, and disappears from the address. */
function chooseLanguage({ locales }: Context, secure: boolean): RequestHandler {
  return (request, response, next) => {
    const wanted = request.query.lang;
    if (wanted === undefined || request.method !== 'GET') return next();
    if (locales.all.some(({ language }) => language === wanted)) {
      response.cookie(languageCookie, wanted, {
        sameSite: 'lax',
        httpOnly: true,
        secure,
        maxAge: 180 * 24 * 60 * 60 * 1000,
      });
    }
    response.redirect(303, onThisHost(request.path));
  };
}
