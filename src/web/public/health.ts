import type { RequestHandler } from 'express';
import type { Context } from '../../context.ts';
import { type Condition, readCondition } from '../../letters/condition.ts';

/** The process answers. */
export const health: RequestHandler = (_request, response) => {
  response.json({ status: 'ok' });
};

/**
 * What works and what does not, part by part. 200: letters can be stored, though they may have to wait; 503: they
 * cannot. Whoever asks while another one is being answered gets the same answer, so asking often costs nothing.
 */
export function readiness({ database, config }: Context): RequestHandler {
  const folder = config.databaseUrl ? undefined : config.dataDir;
  let underway: Promise<Condition> | undefined;
  return async (_request, response) => {
    underway ??= readCondition(database, folder).finally(() => {
      underway = undefined;
    });
    const condition = await underway;
    response.status(condition.status === 'down' ? 503 : 200).json(condition);
  };
}
