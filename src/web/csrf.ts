import type { KeyObject } from 'node:crypto';
import { doubleCsrf } from 'csrf-csrf';
import type { NextFunction, Request, Response } from 'express';
import { Refusal } from './refusal.ts';

/**
 * Forms are taken from our own pages only. A modern browser says where a request comes from
 * (Sec-Fetch-Site, else Origin). One that says nothing, or `Origin: null`, which is what `no-referrer`
 * makes of it on plain http, must bring the token of its cookie (double submit, signed).
 */
export function createCsrf(key: KeyObject, secure: boolean) {
  const secret = key.export().toString('hex');
  const { generateCsrfToken, validateRequest } = doubleCsrf({
    getSecret: () => secret,
    getSessionIdentifier: () => '', // nobody has a session here
    cookieName: secure ? '__Host-csrf' : 'csrf',
    cookieOptions: { sameSite: 'strict', path: '/', secure, httpOnly: true },
    getCsrfTokenFromRequest: (request) => (request.body as { _csrf?: string } | undefined)?._csrf,
  });

  return {
    /** The token for a form's hidden field; sets the cookie when the visitor has none. */
    token: (request: Request, response: Response) => generateCsrfToken(request, response),

    protect(request: Request, _response: Response, next: NextFunction): void {
      const safe = request.method === 'GET' || request.method === 'HEAD';
      const ours = safe || (saysItsOurs(request) ?? validateRequest(request));
      next(ours ? undefined : new Refusal(403, 'forbidden'));
    },
  };
}

/** Undefined: the browser does not say. */
function saysItsOurs(request: Request): boolean | undefined {
  const site = request.get('sec-fetch-site');
  if (site !== undefined) return site === 'same-origin';
  const origin = request.get('origin');
  if (origin === undefined || origin === 'null') return undefined;
  return URL.canParse(origin) && new URL(origin).host === request.get('host');
}
