import { withFinalDot } from './final-dot.ts';
import { describe, judge, type Outcome, type Stage } from './outcome.ts';
import type { Server } from './server.ts';
import { type Reply, type Wire, WireBroken } from './wire.ts';

export type Envelope = {
  from: string;
  to: string;
  /** Asks for reports of what becomes of the message, which name this id. */
  id?: string;
};

/** `broke`: how the conversation ended where there was no word about this message. */
export type Conducted = { outcome: Outcome; broke?: 'cut' | 'silence' };

/** A message that is to be handed over. */
export type Sending = {
  envelope: Envelope;
  /** Its bytes, a character each. */
  message: string;
  /** Is asked right before its first byte is said, and again before that is said anew. False: it must not leave any more. */
  leaves(): boolean;
  /** Is told what became of it, before anything else leaves on its connection; not if it did not leave. */
  came(outcome: Outcome): void;
};

/** Who goes behind the message that is leaving. To be asked once for each, when it leaves. */
export type Next = () => Sending | undefined;

/** Is told what became of a message. */
export type Tell = (sending: Sending, conducted: Conducted) => void;

/**
 * Nobody follows a longer one, in bytes: what the kernel takes at once has either left as a whole or not at all, so that
 * commands behind a final dot leave no doubt whether the dot has.
 */
const followed = 8 * 1024;

/**
 * How long each answer to an envelope behind a final dot may take once the dot was answered, in milliseconds. A server
 * that forgets what came behind would be waited for in vain.
 */
const heardAtOnce = 2000;

/**
 * Mail transactions (RFC 5321 section 3.3) with one recipient each, one after the other for as long as somebody follows.
 * Afterwards the wire is ready for the next one, or closed. What it must know, and what no library tells, is whether the
 * server can have had the whole of a message when the conversation broke off: that is the difference between `try
 * again` and `unknown`.
 *
 * With PIPELINING, who follows is announced behind the final dot of the message before (RFC 2920 section 3.1), which saves
 * a way there and back. Such a one leaves only if that message was taken, and the server wants it. Anything else ends the
 * conversation and its connection, and is no word about the letter: a server that lost a part of what came behind the
 * dot answers something else than what was said. It can go by itself.
 */
export async function converse(
  wire: Wire,
  server: Server,
  first: Sending,
  next: Next,
  tell: Tell,
): Promise<void> {
  if (!isSendable(server, first)) {
    tell(first, { outcome: outcomeOf(server, { stage: 'mail', unsendable: true }) });
    return;
  }
  if (server.pipelining) wire.say(announcement(server, first));
  const refused = await hearOf(wire, server, first);
  if (refused) tell(first, refused);
  let sending = refused ? undefined : first;
  while (sending) {
    // the server waits for a message now, and must not be given an empty one
    if (!sending.leaves()) return wire.drop();
    const behind = whoFollows(server, sending, next);
    const conducted = await handOver(wire, server, sending.message, behind && announcement(server, behind));
    tell(sending, conducted);
    if (behind && !(await isWanted(wire))) return wire.drop();
    sending = behind;
  }
}

/** Whether the server agrees to all of an envelope that came behind a final dot. */
async function isWanted(wire: Wire): Promise<boolean> {
  try {
    for (const stage of stages) {
      const reply = await wire.reply(heardAtOnce);
      if (stage === 'data' ? reply.code !== 354 : !isPositive(reply)) return false;
    }
  } catch (error) {
    brokenBy(error);
  }
  return wire.isQuiet();
}

/** What it takes to say it at all: nothing in an address that could end a command, and room for the message. */
function isSendable(
  { size = Number.POSITIVE_INFINITY }: Server,
  { envelope: { from, to }, message }: Sending,
) {
  return isAddress(from) && isAddress(to) && to !== '' && message.length <= size;
}

const isAddress = (text: string) => /^[\x21-\x3b\x3d\x3f-\x7e]*$/.test(text);

function whoFollows(server: Server, { message }: Sending, next: Next): Sending | undefined {
  if (!server.pipelining || message.length > followed) return undefined;
  const behind = next();
  return behind && isSendable(server, behind) ? behind : undefined;
}

/** Nothing was said of the message itself: some close a connection after so many, and say so to the next MAIL (seen from Exim). */
export const isNoWord = ({ outcome, broke }: Conducted) =>
  broke !== undefined || (outcome.code === 421 && outcome.stage === 'mail');

/**
 * The replies to MAIL, RCPT and DATA. With PIPELINING these left together, and every one of them has its reply (RFC 2920
 * section 3.1).
 *
 * @returns how it ended; undefined: the server wants the message now
 */
async function hearOf(wire: Wire, server: Server, sending: Sending): Promise<Conducted | undefined> {
  let refusal: Outcome | undefined;
  let stage: Stage = 'mail';
  try {
    for (const at of stages) {
      stage = at;
      if (!server.pipelining) wire.say(commandsOf(server, sending)[at]);
      const reply = await wire.reply();
      const agreed = isPositive(reply) || (at === 'data' && reply.text.startsWith('3'));
      if (!agreed) refusal ??= outcomeOf(server, { stage, reply });
      // who closes says no more; and who wants a message without a recipient must not be given an empty one
      if (reply.code === 421 || (agreed && at === 'data' && refusal)) wire.drop();
      if (!wire.alive() || (refusal && !server.pipelining)) break;
    }
    if (refusal) await startAfresh(wire);
    else if (!wire.isQuiet()) wire.drop(); // it says more than it was asked
  } catch (error) {
    const broke = brokenBy(error);
    return refusal ? { outcome: refusal } : { outcome: outcomeOf(server, { stage }), broke: howOf(broke) };
  }
  if (refusal) return { outcome: refusal };
  return wire.alive() ? undefined : { outcome: outcomeOf(server, { stage }), broke: 'cut' };
}

const stages = ['mail', 'rcpt', 'data'] as const;

function announcement(server: Server, sending: Sending): string {
  const { mail, rcpt, data } = commandsOf(server, sending);
  return mail + rcpt + data;
}

function commandsOf({ dsn, size }: Server, { envelope: { from, to, id }, message }: Sending) {
  const told = size === undefined ? '' : ` SIZE=${message.length}`;
  // RFC 3461: reports of delivery, failure and delay, which carry the header of the message and not its text
  const reports = dsn && id !== undefined;
  const about = reports ? ` RET=HDRS ENVID=${xtext(id)}` : '';
  const asked = reports ? ` NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;${xtext(to)}` : '';
  return {
    mail: `MAIL FROM:<${from}>${told}${about}\r\n`,
    rcpt: `RCPT TO:<${to}>${asked}\r\n`,
    data: 'DATA\r\n',
  };
}

/** RFC 3461 section 4. */
function xtext(text: string): string {
  return text.replace(/[^\x21-\x2a\x2c-\x3c\x3e-\x7e]/g, (character) =>
    [...Buffer.from(character)]
      .map((byte) => `+${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  );
}

/** @param behind what is said behind the final dot, in the same piece */
async function handOver(wire: Wire, server: Server, message: string, behind = ''): Promise<Conducted> {
  const { allIsOut } = wire.say(withFinalDot(message) + behind);
  // if some of it is not out, that may be what is behind: then nobody can say that the server lacks the message
  const isHandedOver = () => behind !== '' || allIsOut();
  const stage = 'message';
  try {
    const reply = await wire.reply();
    const handedOver = isHandedOver();
    const isTaken = isPositive(reply);
    // a server that answers in mid-body still waits for the rest of it, and would take RSET for text; and who was
    // announced behind a message that was not taken does not follow
    if (reply.code === 421 || reply.code === undefined || !allIsOut() || (behind && !isTaken)) wire.drop();
    else if (!isTaken) await startAfresh(wire);
    else if (!behind) wire.expectNothing();
    return { outcome: outcomeOf(server, { stage, reply, handedOver }) };
  } catch (error) {
    const broke = brokenBy(error);
    return { outcome: outcomeOf(server, { stage, handedOver: isHandedOver() }), broke: howOf(broke) };
  }
}

/** After a refusal the session is clean again only after RSET (RFC 5321 section 4.1.1.5). */
async function startAfresh(wire: Wire): Promise<void> {
  if (!wire.alive()) return;
  wire.say('RSET\r\n');
  const reply = await wire.reply().catch(brokenBy);
  if ('code' in reply && isPositive(reply)) wire.expectNothing();
  else wire.drop();
}

const isPositive = ({ code }: Pick<Reply, 'code'>) => code !== undefined && code >= 200 && code <= 299;

function brokenBy(error: unknown): WireBroken {
  if (error instanceof WireBroken) return error;
  throw error;
}

const howOf = ({ silent }: WireBroken) => (silent ? 'silence' : 'cut');

type Seen = { stage: Stage; reply?: Reply; handedOver?: boolean; unsendable?: boolean };

function outcomeOf(
  { host }: Server,
  { stage, reply, handedOver = false, unsendable = false }: Seen,
): Outcome {
  const kind = judge({ stage, reply: reply?.code, handedOver, unsendable });
  return { ...describe(kind, host, reply?.text), ...(kind === 'accepted' ? {} : { stage }) };
}
