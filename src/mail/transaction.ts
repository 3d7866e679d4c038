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

/**
 * One mail transaction (RFC 5321 section 3.3) with one recipient. Afterwards the wire is ready for the next one, or
 * closed. What it must know, and what no library tells, is whether the server can have had the whole message when
 * the conversation broke off: that is the difference between `try again` and `unknown`.
 */
export async function conductTransaction(
  wire: Wire,
  server: Server,
  envelope: Envelope,
  message: Buffer,
): Promise<Conducted> {
  if (!isSendable(server, envelope, message)) {
    return { outcome: outcomeOf(server, { stage: 'mail', unsendable: true }) };
  }
  return (await announce(wire, server, envelope, message.length)) ?? handOver(wire, server, message);
}

/** What it takes to say it at all: nothing in an address that could end a command, and room for the message. */
function isSendable({ size }: Server, { from, to }: Envelope, message: Buffer): boolean {
  return (
    isAddress(from) && isAddress(to) && to !== '' && message.length <= (size ?? Number.POSITIVE_INFINITY)
  );
}

const isAddress = (text: string) => /^[\x21-\x3b\x3d\x3f-\x7e]*$/.test(text);

/**
 * MAIL, RCPT and DATA. With PIPELINING they leave together, and every one of them has its reply (RFC 2920 section 3.1).
 *
 * @returns how it ended; undefined: the server wants the message now
 */
async function announce(
  wire: Wire,
  server: Server,
  envelope: Envelope,
  length: number,
): Promise<Conducted | undefined> {
  const commands = commandsOf(server, envelope, length);
  if (server.pipelining) wire.say(commands.map(({ text }) => text).join(''));
  let refusal: Outcome | undefined;
  let stage: Stage = 'mail';
  try {
    for (const { at, text } of commands) {
      stage = at;
      if (!server.pipelining) wire.say(text);
      const reply = await wire.reply();
      const agreed = isPositive(reply) || (at === 'data' && reply.text.startsWith('3'));
      if (!agreed) refusal ??= outcomeOf(server, { stage, reply });
      // who closes says no more; and who wants a message without a recipient must not be given an empty one
      if (reply.code === 421 || (agreed && at === 'data' && refusal)) wire.drop();
      if (!wire.alive() || (refusal && !server.pipelining)) break;
    }
    if (refusal) await startAfresh(wire);
  } catch (error) {
    const broke = brokenBy(error);
    return refusal ? { outcome: refusal } : { outcome: outcomeOf(server, { stage }), broke: howOf(broke) };
  }
  return refusal && { outcome: refusal };
}

function commandsOf({ dsn, size }: Server, { from, to, id }: Envelope, length: number) {
  const told = size === undefined ? '' : ` SIZE=${length}`;
  // RFC 3461: reports of delivery, failure and delay, which carry the header of the message and not its text
  const reports = dsn && id !== undefined;
  const about = reports ? ` RET=HDRS ENVID=${xtext(id)}` : '';
  const asked = reports ? ` NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;${xtext(to)}` : '';
  return [
    { at: 'mail', text: `MAIL FROM:<${from}>${told}${about}\r\n` },
    { at: 'rcpt', text: `RCPT TO:<${to}>${asked}\r\n` },
    { at: 'data', text: 'DATA\r\n' },
  ] as const;
}

/** RFC 3461 section 4. */
function xtext(text: string): string {
  return text.replace(/[^\x21-\x2a\x2c-\x3c\x3e-\x7e]/g, (character) =>
    [...Buffer.from(character)]
      .map((byte) => `+${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  );
}

async function handOver(wire: Wire, server: Server, message: Buffer): Promise<Conducted> {
  const { allIsOut } = wire.sayBytes(withFinalDot(message));
  const stage = 'message';
  try {
    const reply = await wire.reply();
    const handedOver = allIsOut();
    // a server that answers in mid-body still waits for the rest of it, and would take RSET for text
    if (reply.code === undefined || reply.code === 421 || !handedOver) wire.drop();
    else if (isPositive(reply)) wire.expectNothing();
    else await startAfresh(wire);
    return { outcome: outcomeOf(server, { stage, reply, handedOver }) };
  } catch (error) {
    const broke = brokenBy(error);
    return { outcome: outcomeOf(server, { stage, handedOver: allIsOut() }), broke: howOf(broke) };
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
