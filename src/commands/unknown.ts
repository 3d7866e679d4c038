import { parseArgs } from 'node:util';
import { ExpectedError } from '../expected.ts';
import { tidyWords } from '../inbound/verdict.ts';
import { readAccepted } from '../letters/relay-log.ts';
import { listUnknown, resolveUnknown } from '../letters/unknown-letters.ts';
import { misused, readId } from './arguments.ts';
import type { Command } from './command.ts';

/** Letters of which nobody knows whether they arrived, for a person to clear up. */
export const unknown: Command = {
  usage: [
    '  npm run unknown                                   the letters: id, Message-ID, since when',
    '  npm run unknown -- accepted ID --evidence "…"     a server has it; the words stand on its page',
    '  npm run unknown -- accepted --log FILE            the same for all that are in a relay’s log, or in a list',
    '  npm run unknown -- resend ID                      send it again: it may then arrive twice',
  ].join('\n'),

  async run({ database, hint }, { args, say }) {
    const { positionals, evidence, log } = read(args);
    const [what, given, ...rest] = positionals;
    const id = readId(given);
    if (what === undefined && args.length === 0) {
      const letters = await listUnknown(database);
      for (const letter of letters) {
        say(`${letter.id}  <${letter.message_id}>  since ${letter.since.toISOString()}`);
      }
      say(`${letters.length === 1 ? '1 letter is' : `${letters.length} letters are`} unknown.`);
    } else if (what === 'accepted' && log && !given && !evidence) {
      const { accepted } = await resolveUnknown(database, await readAccepted(log));
      say(`${accepted === 1 ? '1 letter was' : `${accepted} letters were`} found in it, and accepted.`);
    } else if (what === 'accepted' && id && evidence && !log && rest.length === 0) {
      const found = { id, accepted: true, response: tidyWords(evidence) };
      if ((await resolveUnknown(database, [found])).accepted === 0) notUnknown(id);
      say(`Letter ${id} is accepted.`);
    } else if (what === 'resend' && id && args.length === 2) {
      if ((await resolveUnknown(database, [{ id, accepted: false }])).resent === 0) notUnknown(id);
      hint();
      say(`Letter ${id} waits to be sent again, with the same Message-ID.`);
    } else misused(this);
    return undefined;
  },
};

function read(args: string[]): { positionals: string[]; evidence?: string; log?: string } {
  try {
    const { values, positionals } = parseArgs({
      args,
      options: { evidence: { type: 'string' }, log: { type: 'string' } },
      allowPositionals: true,
    });
    return { positionals, evidence: values.evidence?.trim(), log: values.log };
  } catch {
    return misused(unknown);
  }
}

function notUnknown(id: string): never {
  throw new ExpectedError(`Letter ${id} is not unknown, or it is gone. Nothing was changed.`);
}
