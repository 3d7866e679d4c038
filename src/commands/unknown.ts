import { parseArgs } from 'node:util';
import { ExpectedError } from '../expected.ts';
import { tidyWords } from '../inbound/verdict.ts';
import { acceptUnknown, listUnknown, resendUnknown } from '../letters/unknown-letters.ts';
import { misused, readId } from './arguments.ts';
import type { Command } from './command.ts';

/** Letters of which nobody knows whether they arrived, for a person to clear up. */
export const unknown: Command = {
  usage: [
    '  npm run unknown                                   the letters: id, Message-ID, since when',
    '  npm run unknown -- accepted ID --evidence "…"     a server has it; the words stand on its page',
    '  npm run unknown -- resend ID                      send it again: it may then arrive twice',
  ].join('\n'),

  async run({ database, hint }, { args, say }) {
    const { positionals, evidence } = read(args);
    const [what, given, ...rest] = positionals;
    const id = readId(given);
    if (what === undefined) {
      const letters = await listUnknown(database);
      for (const letter of letters) {
        say(`${letter.id}  <${letter.message_id}>  since ${letter.since.toISOString()}`);
      }
      say(`${letters.length === 1 ? '1 letter is' : `${letters.length} letters are`} unknown.`);
    } else if (what === 'accepted' && id && evidence && rest.length === 0) {
      if (!(await acceptUnknown(database, id, tidyWords(evidence)))) notUnknown(id);
      say(`Letter ${id} is accepted.`);
    } else if (what === 'resend' && id && evidence === undefined && rest.length === 0) {
      if (!(await resendUnknown(database, id))) notUnknown(id);
      hint();
      say(`Letter ${id} waits to be sent again, with the same Message-ID.`);
    } else misused(this);
    return undefined;
  },
};

function read(args: string[]): { positionals: string[]; evidence?: string } {
  try {
    const { values, positionals } = parseArgs({
      args,
      options: { evidence: { type: 'string' } },
      allowPositionals: true,
    });
    return { positionals, evidence: values.evidence?.trim() };
  } catch {
    return misused(unknown);
  }
}

function notUnknown(id: string): never {
  throw new ExpectedError(`Letter ${id} is not unknown, or it is gone. Nothing was changed.`);
}
