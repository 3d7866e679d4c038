import { isIP } from 'node:net';
import type { Request, RequestHandler, Response } from 'express';
import { ipKeyGenerator, type RateLimitInfo, rateLimit } from 'express-rate-limit';

const minute = 60_000;

/**
 * How many requests one address may make. Addresses are kept in memory, for two windows at most, and nowhere else.
 * Many people can share one (a factory's network, Tor), so the limits stop machines, not crowds; the hard caps are
 * in the database.
 */
const allowed = {
  /** Pages and everything else. */
  pages: { requests: 600, window: 5 * minute },
  /** Previews and corrections. */
  forms: { requests: 120, window: 10 * minute },
  /** Letters stored, mails asked for. */
  letters: { requests: 60, window: 60 * minute },
  /** Private links opened: guessing one is hopeless, and this keeps it cheap to refuse. */
  links: { requests: 300, window: 10 * minute },
} as const;

type TooMany = (request: Request, response: Response, minutes: number) => void | Promise<void>;

/**
 * Refuses with 429 and Retry-After (RFC 6585); `tooMany` writes the page. Nothing is told before that: how much of a limit
 * is left would tell everybody on a network whether somebody else there writes letters at the moment.
 */
export function limit(kind: keyof typeof allowed, tooMany: TooMany): RequestHandler {
  const { requests, window } = allowed[kind];
  return rateLimit({
    windowMs: window,
    limit: requests,
    standardHeaders: false,
    legacyHeaders: false,
    keyGenerator: visitorOf,
    validate: false, // its advice goes to stderr past our log, with addresses of visitors in it
    handler: (request, response, next) => {
      const { resetTime } = (request as Limited).rateLimit;
      const seconds = Math.max(1, Math.ceil(((resetTime?.getTime() ?? 0) - Date.now()) / 1000));
      response.set('Retry-After', String(seconds));
      Promise.resolve(tooMany(request, response, Math.ceil(seconds / 60))).catch(next);
    },
  });
}

type Limited = Request & { rateLimit: RateLimitInfo };

/** Without the port that some proxies add to it; of IPv6 the network, of which one visitor has all addresses. */
function visitorOf({ ip = '' }: Request): string {
  const address = isIP(ip) ? ip : (/^\[?([0-9a-f.:]+?)\]?:\d+$/i.exec(ip)?.[1] ?? ip);
  return ipKeyGenerator(address);
}
