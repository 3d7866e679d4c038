import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import express, { type RequestHandler } from 'express';
import helmet from 'helmet';
import { projectRoot } from '../root.ts';

/** Styles, fonts, the script: the same for everybody, so they may be kept. */
export function assets(): RequestHandler {
  const router = express.Router();
  const options = { maxAge: '1h', index: false, redirect: false } as const;
  router.use(
    '/fonts',
    express.static(join(projectRoot, 'node_modules/@fontsource-variable/source-serif-4/files'), {
      ...options,
      maxAge: '30d',
    }),
  );
  router.use(express.static(join(projectRoot, 'templates/assets'), options));
  router.use((_request, response) => void response.status(404).end());
  return router;
}

/** A page can hold what only its reader may know, so no browser and no proxy shall store it. */
export const neverStored: RequestHandler = (_request, response, next) => {
  response.set('Cache-Control', 'no-store');
  next();
};

/** Nothing is loaded from elsewhere, nothing is framed, and no link tells where it was. */
export function securityHeaders(secure: boolean): RequestHandler[] {
  const nonce: RequestHandler = (_request, response, next) => {
    response.locals.nonce = randomBytes(16).toString('base64');
    next();
  };
  const withNonce = (_request: unknown, response: unknown) =>
    `'nonce-${(response as { locals: { nonce: string } }).locals.nonce}'`;
  const policy = helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: [withNonce],
        styleSrc: [withNonce],
        imgSrc: ["'self'"],
        fontSrc: ["'self'"],
        connectSrc: ["'self'"],
        formAction: ["'self'"],
        baseUri: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    strictTransportSecurity: secure ? { maxAge: 63_072_000, includeSubDomains: false } : false,
    xFrameOptions: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
  });
  return [nonce, policy];
}
