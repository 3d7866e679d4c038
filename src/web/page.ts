import type { Request, Response } from 'express';
import type { Locale, Locales } from '../locale/locale.ts';
import type { Views } from './views.ts';

/** What a route needs to answer with a page. */
export type Pages = {
  locale(request: Request): Locale;
  send(request: Request, response: Response, name: string, data: object, status?: number): void;
  partial: Views['partial'];
};

type Parts = {
  views: Views;
  locales: Locales;
  csrf: (request: Request, response: Response) => string;
  /** The mail catcher is part of this instance. */
  demo: boolean;
  /** It has pages. */
  mailPages: boolean;
};

/** A cookie that holds nothing but a language tag. */
export const languageCookie = 'language';

export function createPages({ views, locales, csrf, demo, mailPages }: Parts): Pages {
  const locale = (request: Request): Locale => {
    const chosen = (request.cookies as Record<string, string>)[languageCookie];
    const tags = locales.all.map(({ language }) => language);
    return locales.get(tags.includes(chosen ?? '') ? chosen : request.acceptsLanguages(tags) || undefined);
  };
  return {
    locale,
    send(request, response, name, data, status = 200) {
      const current = locale(request);
      const others = locales.all.length > 1 && request.method === 'GET' ? locales.all : [];
      const html = views.page(name, current, {
        csrf: csrf(request, response),
        nonce: response.locals.nonce,
        demo,
        mailPages,
        private: false,
        languages: others.map(({ language, name }) => ({
          language,
          name,
          current: language === current.language,
        })),
        path: request.path,
        ...data,
      });
      response
        .status(status)
        .type('html')
        .set('Content-Language', current.language)
        .vary('Accept-Language')
        .send(html);
    },
    partial: views.partial,
  };
}
