import type { AddressInfo } from 'node:net';
import { SMTPServer, type SMTPServerDataStream, type SMTPServerSession } from 'smtp-server';
import type { Context } from '../context.ts';
import { codeOf, ExpectedError } from '../expected.ts';
import { readCertificate, renewCertificate } from './certificate.ts';
import { type InboundLimits, inboundLimits } from './limits.ts';
import { createReception, type Reception } from './reception.ts';

/**
 * The inbound role: an SMTP server for mail to our own aliases, and for nothing else. It says 250 once what a
 * mail tells is committed, and asks to come again when it cannot be.
 *
 * @throws ExpectedError when the port or the certificate cannot be had
 */
export async function startInbound(
  context: Context,
  limits: InboundLimits = inboundLimits,
): Promise<{ address: string; close(): Promise<void> }> {
  const { config, log } = context;
  const certificate = await readCertificate(config.inboundTls);
  const reception = createReception(context, limits);
  const server = new SMTPServer({
    name: config.mailDomain,
    banner: 'Outspoken takes mail for its own letters only',
    size: limits.size,
    rejectOversized: true,
    maxClients: limits.connections,
    maxRecipients: limits.recipients,
    maxCommandLength: 4096,
    // senders have addresses that no RFC allows, such as two dots in a row; of ours, findRecipient knows how they look
    lenientAddressParsing: true,
    socketTimeout: limits.silence,
    closeTimeout: 5000,
    disableReverseLookup: true,
    hideENHANCEDSTATUSCODES: false,
    disabledCommands: ['AUTH', 'WIZ', 'SHELL', 'KILL', ...(certificate ? [] : ['STARTTLS'])],
    minVersion: 'TLSv1.2',
    ...certificate,
    onConnect: answer((session: SMTPServerSession) => reception.connect(session)),
    onMailFrom: answer((_sender, session: SMTPServerSession) => reception.begin(session)),
    onRcptTo: answer((recipient, session: SMTPServerSession) => reception.check(recipient, session)),
    onData: (stream, session, done) => {
      collect(stream, reception.mostBytes(session))
        .then((raw) => raw && reception.take(raw, session))
        .then(() => done(null, 'taken care of'), done);
    },
    onClose: (session) => reception.leave(session),
  });
  server.on('error', (error) => log.debug({ err: error }, 'a connection of a mail server failed'));
  const { address, port } = await listen(server, config.inboundPort, config.inboundHost);
  const renewal = renewCertificate(server, config.inboundTls, log);
  const sessions = setInterval(() => endOldSessions(server, reception), Math.min(60_000, limits.session));
  log.info({ host: address, port, tls: certificate !== undefined }, 'the inbound listener is up');
  return {
    address: `smtp://${address.includes(':') ? `[${address}]` : address}:${port}`,
    async close() {
      clearInterval(sessions);
      renewal.stop();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await reception.close();
      log.info('the inbound listener is down');
    },
  };
}

/** Makes a handler of smtp-server's kind: what is thrown is its answer. */
function answer<Args extends unknown[]>(work: (...args: Args) => void | Promise<void>) {
  return (...all: [...Args, (error?: Error | null) => void]) => {
    const done = all.pop() as (error?: Error | null) => void;
    Promise.resolve()
      .then(() => work(...(all as unknown as Args)))
      .then(() => done(), done);
  };
}

type Exceeding = Pick<SMTPServerDataStream, 'sizeExceeded'>;

/**
 * The whole message; undefined when it is too large, which smtp-server says by itself. Of what is too large for whom
 * it is meant, no more is kept than shows that it is.
 */
export async function collect(
  stream: AsyncIterable<Buffer> & Exceeding,
  most: number,
): Promise<Buffer | undefined> {
  let mail = Buffer.allocUnsafe(64 * 1024);
  let length = 0;
  for await (const chunk of stream) {
    if (stream.sizeExceeded || length > most) continue;
    // copied: a mail full of dots comes in pieces of a few bytes, a million of them
    if (length + chunk.length > mail.length) mail = Buffer.concat([mail], 2 * mail.length + chunk.length);
    length += chunk.copy(mail, length);
  }
  return stream.sizeExceeded ? undefined : mail.subarray(0, length);
}

/** A client that says a word now and then would stay for ever. */
function endOldSessions(server: SMTPServer, reception: Reception): void {
  for (const connection of server.connections) {
    if (reception.isOld(connection.session)) connection.send(421, 'this connection has lasted too long');
  }
}

async function listen(server: SMTPServer, port: number, host: string): Promise<AddressInfo> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => {
        server.off('error', reject);
        resolve();
      });
    });
    return server.server.address() as AddressInfo;
  } catch (error) {
    const problems: Record<string, string> = {
      EADDRINUSE: `Port ${port} on ${host} is in use. Set INBOUND_PORT to another one, or to 0 for any that is free.`,
      EACCES: `Port ${port} may not be used by this user. Set INBOUND_PORT to one above 1023, and let the mail server or the firewall pass port 25 on to it.`,
      EADDRNOTAVAIL: `This machine does not have the address ${host}. Set INBOUND_HOST to one that it has, e.g. 127.0.0.1.`,
      ENOTFOUND: `The address ${host} is not known. Set INBOUND_HOST to one that this machine has, e.g. 127.0.0.1.`,
    };
    const problem = problems[codeOf(error) ?? ''];
    throw problem ? new ExpectedError(problem) : error;
  }
}
