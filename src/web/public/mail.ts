import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { simpleParser } from 'mailparser';
import { type Config, isLoopback } from '../../config.ts';
import type { Catcher } from '../../embedded/catcher.ts';
import type { Pages } from '../page.ts';
import { Refusal } from '../refusal.ts';

const perPage = 50;

/** What proxies add to a request that they pass on; browsers send none of it. */
const ofProxies = /^(forwarded|via|x-forwarded-.*|x-real-ip)$/;

/**
 * nginx adds nothing unless it is told to, and says that it asks for this machine. Its older versions are known by what
 * they speak (https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_http_version), and browsers do not.
 */
const versionOfProxies = '1.0';

/**
 * The mail catcher's pages open confirmation links, so they are for the person at this machine only: the
 * request must come from it, and name a loopback host, which a foreign page cannot make a browser do (DNS
 * rebinding). A proxy on this machine speaks for somebody else, and passes on what they say of the host.
 */
export function onlyHere(request: Request, _response: Response, next: NextFunction): void {
  const peer = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, ''); // IPv4 on a dual-stack socket
  const host = (request.get('host') ?? '').replace(/:\d*$/, ''); // not `hostname`: behind a proxy, anybody sets that
  const passedOn =
    request.httpVersion === versionOfProxies ||
    Object.keys(request.headers).some((name) => ofProxies.test(name));
  next(isLoopback(peer) && isLoopback(host) && !passedOn ? undefined : new Refusal(404, 'notFound'));
}

/** Whether there may be such pages at all: an address for others means that a proxy may stand in front, and hide itself. */
export function isForHere({ publicUrl }: Pick<Config, 'publicUrl'>): boolean {
  return publicUrl === undefined || isLoopback(new URL(publicUrl).hostname);
}

/** Everything that was "sent", newest first. */
export function showMail(catcher: Catcher, pages: Pages): RequestHandler {
  return async (request, response) => {
    const ids = await catcher.list();
    const page = Math.max(0, Math.trunc(Number(request.query.page) || 0));
    const messages = await Promise.all(
      ids.slice(page * perPage, (page + 1) * perPage).map(async (id) => {
        const mail = await simpleParser((await catcher.read(id)) ?? '');
        return {
          id,
          subject: mail.subject ?? '',
          from: mail.from?.text ?? '',
          to: textOf(mail.to),
          date: mail.date,
        };
      }),
    );
    pages.send(request, response, 'mail', {
      messages,
      newer: page > 0 ? `/mail?page=${page - 1}` : '',
      older: ids.length > (page + 1) * perPage ? `/mail?page=${page + 1}` : '',
    });
  };
}

/** One message: its headers, its text, its source. */
export function showMessage(catcher: Catcher, pages: Pages): RequestHandler {
  return async (request, response) => {
    const id = String(request.params.id);
    const raw = await catcher.read(id);
    if (!raw) throw new Refusal(404, 'notFound');
    const mail = await simpleParser(raw);
    pages.send(request, response, 'message', {
      id,
      subject: mail.subject ?? '',
      headers: mail.headerLines.map(({ line }) => {
        const at = line.indexOf(':');
        return { name: line.slice(0, at), value: line.slice(at + 1).trim() };
      }),
      text: mail.text ?? '',
      raw: raw.toString('latin1'),
    });
  };
}

/** The message's bytes. */
export function showSource(catcher: Catcher): RequestHandler {
  return async (request, response) => {
    const raw = await catcher.read(String(request.params.id));
    if (!raw) throw new Refusal(404, 'notFound');
    response.type('text/plain; charset=utf-8').send(raw);
  };
}

function textOf(to: { text: string } | { text: string }[] | undefined): string {
  return [to ?? []]
    .flat()
    .map(({ text }) => text)
    .join(', ');
}
