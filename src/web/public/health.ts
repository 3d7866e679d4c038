import type { RequestHandler } from 'express';
import type { Context } from '../../context.ts';
import { statement } from '../../db/database.ts';

const alive = statement('select 1 as one');

/** The process answers. */
export const health: RequestHandler = (_request, response) => {
  response.json({ status: 'ok' });
};

/** The process can do its work: letters can be stored. */
export function readiness({ database }: Context): RequestHandler {
  return async (_request, response) => {
    const stored = await database.row(alive).then(
      () => true,
      () => false,
    );
    response
      .status(stored ? 200 : 503)
      .json({ status: stored ? 'ok' : 'down', database: stored ? 'ok' : 'away' });
  };
}
