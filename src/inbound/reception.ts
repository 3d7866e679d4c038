import type { SMTPServerAddress, SMTPServerSession } from 'smtp-server';
import type { Context } from '../context.ts';
import { isConnectionLoss } from '../db/database.ts';
import { createRates, type InboundLimits, mostBytes, network } from './limits.ts';
import { openReaders } from './readers.ts';
import { isRefused, mustComeAgain, receiveMail } from './receive-mail.ts';
import {
  type Addressee,
  findAddressee,
  findRecipient,
  type Recipient,
  takesFrom,
  wantsWords,
} from './recipient.ts';
import type { Facts } from './rule.ts';

/** What the listener answers with, beside its words: an SMTP reply code. */
class Answer extends Error {
  readonly responseCode: number;
  constructor(responseCode: number, words: string) {
    super(words);
    this.responseCode = responseCode;
  }
}

const reachesNobody = 'this reaches nobody here; please write to the address in Reply-To';

type Session = Pick<SMTPServerSession, 'id' | 'remoteAddress' | 'envelope'>;

export type Reception = ReturnType<typeof createReception>;

/** Who may come in, for whom they may bring mail, and what is done with it. What it throws is the answer. */
export function createReception(context: Context, limits: InboundLimits) {
  const { database, vault, log, config } = context;
  const receiving = { database, vault, log, mailDomain: config.mailDomain };
  const readers = openReaders(log, limits.reading);
  const rates = createRates(limits.perMinute);
  const since = new Map<string, { client: string; at: number }>();
  const found = new WeakMap<SMTPServerAddress, Recipient>();

  /** A database that is away is a reason to come again, and nothing else is a reason to lose mail. */
  async function orLater<Result>(work: Promise<Result>): Promise<Result> {
    return work.catch((error) => {
      if (!isConnectionLoss(error)) log.error({ err: error }, 'mail that came back could not be taken');
      throw new Answer(451, 'this cannot be stored now, please come again');
    });
  }

  function recipientsOf({ envelope }: Session): Recipient[] {
    return envelope.rcptTo.map((address) => {
      const recipient = found.get(address);
      if (!recipient) throw new Error('a recipient was taken that was not checked');
      return recipient;
    });
  }

  /** How large this message may be, for all to whom it goes. */
  function mostBytesIn(session: Session): number {
    return Math.min(...recipientsOf(session).map((recipient) => mostBytes(recipient, limits)));
  }

  return {
    connect({ id, remoteAddress }: Session): void {
      const client = network(remoteAddress);
      const open = [...since.values()].filter((session) => session.client === client).length;
      if (open >= limits.connectionsPerClient || !rates.count('connections', remoteAddress)) {
        throw new Answer(421, 'too many connections, please come again later');
      }
      if (rates.isFull('strangers', remoteAddress)) throw new Answer(421, 'please come again later');
      since.set(id, { client, at: performance.now() });
    },

    begin({ remoteAddress }: Session): void {
      if (!rates.count('messages', remoteAddress))
        throw new Answer(421, 'too many messages, please come again later');
    },

    async check(address: SMTPServerAddress, { remoteAddress, envelope }: Session): Promise<void> {
      const recipient = await orLater(findRecipient(receiving, address.address));
      if (recipient && takesFrom(recipient, factsOf(envelope))) found.set(address, recipient);
      else if (rates.count('strangers', remoteAddress)) throw new Answer(550, 'no such address here');
      else throw new Answer(421, 'too many addresses that are not here');
    },

    mostBytes: mostBytesIn,

    async take(raw: Buffer, session: Session): Promise<void> {
      const { envelope, remoteAddress } = session;
      if (raw.length > mostBytesIn(session)) throw new Answer(552, 'this is too large for such an address');
      const recipients: Addressee[] = [];
      for (const recipient of recipientsOf(session)) {
        const addressee = await orLater(findAddressee(receiving, recipient, raw));
        if (addressee) recipients.push(addressee);
        else rates.count('strangers', remoteAddress);
      }
      if (recipients.length === 0) throw new Answer(550, reachesNobody);
      const asked = { ...factsOf(envelope), wantsWords: recipients.some(wantsWords) };
      const reading = await orLater(readers.read(raw, asked));
      if (!reading) throw new Answer(421, 'this server is going down, please come again');
      let isTaken = false;
      for (const recipient of recipients) {
        const received = await orLater(receiveMail(receiving, { recipient, raw, reading }));
        if (mustComeAgain(received)) throw new Answer(451, 'this cannot be taken yet, please come again');
        isTaken ||= !isRefused(received);
      }
      if (!isTaken) throw new Answer(550, reachesNobody);
    },

    leave({ id }: Session): void {
      since.delete(id);
    },

    isOld({ id }: Pick<Session, 'id'>): boolean {
      const session = since.get(id);
      return session !== undefined && performance.now() - session.at > limits.session;
    },

    close(): Promise<void> {
      return readers.close();
    },
  };
}

function factsOf({ mailFrom }: Session['envelope']): Facts {
  return { nullSender: mailFrom !== false && mailFrom.address === '' };
}
