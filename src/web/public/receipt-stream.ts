import type { RequestHandler, Response } from 'express';
import type { Context } from '../../context.ts';
import { statement } from '../../db/database.ts';
import { readReceipt } from '../../letters/receipt.ts';
import type { Locale } from '../../locale/locale.ts';
import { readReplies } from '../../replies/read-replies.ts';
import type { Pages } from '../page.ts';
import { describeLetters } from './letter-status.ts';

type Viewer = {
  advocateId: string;
  seen: string;
  /** Has not read yet what it was told: that is in our memory for as long. */
  isBehind(): boolean;
  update(): Promise<void>;
  gone(): void;
  end(): void;
};

/** One question a second for all open receipts, however many there are; nobody watching costs nothing. */
const interval = 1000;
const mostViewers = 1000;

/** Windows of one person: more would take the places of others. */
const mostOfOne = 20;

/**
 * Some news have no event: a campaign is paused, a contact's hours begin. So now and then the letters are looked at
 * anyway; and a proxy must not think that a quiet stream is dead. In rounds of `interval`.
 */
const roundsBetweenLooks = 10;

const newestEvents = statement<{ advocate_id: string; newest: string }>(`
  select letter.advocate_id::text, concat(max(event.at), ' ', (
      select concat(count(*), ' ', max(state_at)) from reply where reply.advocate_id = letter.advocate_id
    )) as newest
  from letter join event on event.letter_id = letter.id
  where letter.advocate_id = any ($1::bigint[])
  group by letter.advocate_id`);

/**
 * The receipt's stream (server-sent events): each change sends the letters anew, as HTML that the server
 * rendered with the page's own template.
 */
export function createReceiptStream(context: Context, pages: Pages) {
  const { database, vault, config, log } = context;
  const viewers = new Set<Viewer>();
  let timer: NodeJS.Timeout | undefined;
  let rounds = 0;

  async function look(): Promise<void> {
    const watching = [...viewers]; // whoever comes while we ask was not asked for: their turn is the next one
    const ids = [...new Set(watching.map(({ advocateId }) => advocateId))];
    const newest = new Map(
      (await database.rows(newestEvents, [ids])).map((row) => [row.advocate_id, row.newest]),
    );
    rounds += 1;
    for (const viewer of watching) {
      if (!viewers.has(viewer)) continue; // has left meanwhile
      const canBeTold = !viewer.isBehind(); // whoever is behind is told how things are once it has read
      const version = newest.get(viewer.advocateId);
      if (version === undefined) viewer.gone();
      else if (canBeTold && (version !== viewer.seen || rounds % roundsBetweenLooks === 0)) {
        viewer.seen = version;
        await viewer.update();
      }
    }
  }

  function schedule(): void {
    if (timer || viewers.size === 0) return;
    timer = setTimeout(() => {
      look()
        .catch((error) => log.warn({ err: error }, 'receipts could not be updated'))
        .finally(() => {
          timer = undefined;
          schedule();
        });
    }, interval);
  }

  function isFull(advocateId: string): boolean {
    const own = [...viewers].filter((viewer) => viewer.advocateId === advocateId);
    return viewers.size >= mostViewers || own.length >= mostOfOne;
  }

  const open: RequestHandler = async (request, response) => {
    const token = String(request.params.token);
    const receipt = await readReceipt(database, token, config.mailDomain);
    if (response.closed) return; // whoever left meanwhile says so no more, and would keep their place for ever
    // 204 tells the browser not to connect again (HTML, server-sent events); the page's script asks later
    if (receipt && isFull(receipt.advocateId)) return void response.status(204).end();
    const locale: Locale = pages.locale(request);
    response.status(200).set({
      'Content-Type': 'text/event-stream; charset=utf-8',
      'X-Accel-Buffering': 'no',
    });
    if (request.method === 'HEAD') return void response.end();
    response.flushHeaders();
    // erased while its line was broken: the page that still shows the letters is told, and does not keep them
    if (!receipt) {
      sendEvent(response, 'gone', '');
      return void response.end();
    }
    let shown = '';
    const viewer: Viewer = {
      advocateId: receipt.advocateId,
      seen: '',
      async update() {
        const current = await readReceipt(database, token, config.mailDomain);
        if (!current) return this.gone();
        const replies = await readReplies(database, vault, current.advocateId);
        const letters = pages.partial('letters', locale, describeLetters(current, replies, token, locale));
        if (letters === shown) return void response.write(':\n\n');
        shown = letters;
        sendEvent(response, 'letters', letters);
      },
      isBehind: () => response.writableLength > 0,
      gone() {
        viewers.delete(viewer);
        // an end would wait behind what is not read; a page that is cut off comes again, and is told
        if (this.isBehind()) return void response.destroy();
        sendEvent(response, 'gone', '');
        response.end();
      },
      end() {
        if (this.isBehind()) response.destroy();
        else response.end();
      },
    };
    viewers.add(viewer);
    response.on('close', () => viewers.delete(viewer));
    schedule();
  };

  return {
    open,
    close() {
      clearTimeout(timer);
      for (const viewer of viewers) viewer.end();
      viewers.clear();
    },
  };
}

function sendEvent(response: Response, event: string, html: string): void {
  const data = html
    .split('\n')
    .map((line) => `data: ${line}\n`)
    .join('');
  response.write(`event: ${event}\n${data}\n`);
}
