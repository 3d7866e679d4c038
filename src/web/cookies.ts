import cookieParser from 'cookie-parser';
import type { RequestHandler } from 'express';

/** Reads the cookies. cookie-parser makes objects of `j:{…}`; ours are text, and what is not text is none of ours. */
export function readCookies(): RequestHandler[] {
  return [
    cookieParser(),
    (request, _response, next) => {
      const cookies = request.cookies as Record<string, unknown>;
      for (const name of Object.keys(cookies)) if (typeof cookies[name] !== 'string') delete cookies[name];
      next();
    },
  ];
}
