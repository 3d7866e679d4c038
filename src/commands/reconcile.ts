import { parseArgs } from 'node:util';
import type { Context } from '../context.ts';
import { ExpectedError } from '../expected.ts';
import { type HighWater, openHighWater } from '../hold/high-water.ts';
import { liftHold, readStanding, reasons, type Standing, startHold } from '../hold/hold.ts';
import { hasLetters, judge } from '../hold/mark.ts';
import { type Reconciled, reconcileLetters, surveyLetters } from '../letters/reconcile.ts';
import { readAccepted } from '../letters/relay-log.ts';
import { misused } from './arguments.ts';
import type { Command, Surroundings } from './command.ts';

/** After a backup was restored: finds out what was sent since it was made, and lets letters leave again. */
export const reconcile: Command = {
  usage: [
    '  npm run reconcile                               why sending is on hold, and what is known; changes nothing',
    '  npm run reconcile -- --accepted FILE --yes      letters in the relay’s log (or in a list of Message-IDs) are',
    '                                                  accepted; all others that may have been sent are unknown',
    '  npm run reconcile -- --accepted FILE --complete --yes',
    '                                                  what is not in it was surely not sent, and goes on waiting',
    '  npm run reconcile -- --nothing-was-sent --yes   nothing left since the backup was made',
    '  npm run reconcile -- --unknown --yes            there is no log: all that may have been sent is unknown',
    '  npm run reconcile -- --hold                     put sending on hold by hand',
  ].join('\n'),

  async run(context, { args, say }) {
    const asked = read(args);
    const highWater = openHighWater(context.config.dataDir);
    if (asked.hold) {
      if (Object.keys(asked).length > 1) misused(this);
      await startHold(context.database, 'asked');
    }
    const standing = await look(context, highWater);
    if (!standing.hold) {
      say('Sending is not on hold. Nothing was changed.');
      return undefined;
    }
    await tell(context, standing, say);
    if (asked.hold) return undefined;
    if (!says(asked)) {
      say(`\nTo go on, say what you know:\n${this.usage}`);
      return undefined;
    }
    const known = await readKnown(asked);
    if (known.accepted.length > 0 || asked.accepted) say(`The log has ${letters(known.accepted.length)}.`);
    if (!asked.yes) {
      say('Nothing was changed. Say the same with --yes to do it; it cannot be undone.');
      return undefined;
    }
    report(await reconcileLetters(context, context.config.dataDir, known), say);
    await goOn(context, highWater);
    context.hint();
    say('Letters leave again.');
    return undefined;
  },
};

type Asked = {
  accepted?: string[];
  complete?: boolean;
  'nothing-was-sent'?: boolean;
  unknown?: boolean;
  hold?: boolean;
  yes?: boolean;
};

function read(args: string[]): Asked {
  try {
    const { values } = parseArgs({
      args,
      options: {
        accepted: { type: 'string', multiple: true },
        complete: { type: 'boolean' },
        'nothing-was-sent': { type: 'boolean' },
        unknown: { type: 'boolean' },
        hold: { type: 'boolean' },
        yes: { type: 'boolean' },
      },
    });
    const ways = [values.accepted, values['nothing-was-sent'], values.unknown].filter(Boolean).length;
    if (ways > 1 || (values.complete && !values.accepted) || (values.yes && ways === 0))
      return misused(reconcile);
    return values;
  } catch {
    return misused(reconcile);
  }
}

const says = (asked: Asked) => Boolean(asked.accepted ?? asked['nothing-was-sent'] ?? asked.unknown);

async function readKnown(asked: Asked) {
  const files = await Promise.all((asked.accepted ?? []).map(readAccepted));
  return { accepted: files.flat(), complete: Boolean(asked.complete ?? asked['nothing-was-sent']) };
}

/** No worker may have looked yet since the backup was restored: so this looks as one would. */
async function look({ database }: Context, highWater: HighWater): Promise<Standing> {
  const outside = await highWater.read();
  const standing = await readStanding(database);
  const verdict = judge(outside, standing);
  if (verdict === 'well' || verdict === 'unmarked') return standing;
  if (verdict === 'other database' && !(await hasLetters(database))) return standing;
  await startHold(database, verdict, outside.marks.get(standing.id) ?? 0);
  return readStanding(database);
}

async function tell({ database }: Context, standing: Standing, say: Surroundings['say']): Promise<void> {
  const { hold, mark, markedAt, outside } = standing;
  if (!hold) return;
  const survey = await surveyLetters(database);
  say(`Sending is on hold since ${hold.since.toISOString()}: ${reasons[hold.because]}.`);
  const behind = outside > mark ? `, ${outside} outside` : '';
  say(
    mark > 0
      ? `The database knows of sending until about ${markedAt.toISOString()} (mark ${mark}${behind}).`
      : `The database knows of no sending (mark 0${behind}).`,
  );
  say('What it believes of letters from before the hold, which may be out of date:');
  say(`  ${letters(survey.waiting)} waiting`);
  say(`  ${letters(survey.onTheirWay)} on the way to a mail server`);
  say(`  ${letters(survey.drafts)} not confirmed`);
  say(`Written and confirmed since: ${letters(survey.new)}; surely not sent, they go on waiting.`);
  say('Letters that were written after the backup was made are not in this database any more.');
}

function report(
  { accepted, unknown, waiting, dropped, erased, cancelled }: Reconciled,
  say: Surroundings['say'],
): void {
  say(`Found to have been accepted: ${letters(accepted)}.`);
  say(`Unknown, and not sent again by themselves (npm run unknown): ${letters(unknown)}.`);
  say(`Waiting: ${letters(waiting)}.`);
  say(
    `Drafts that nobody confirmed, dropped: ${dropped === 1 ? '1 submission' : `${dropped} submissions`}. Their writers may write anew.`,
  );
  say(
    `Taken back since the backup, and now again: ${erased === 1 ? '1 person' : `${erased} people`} erased, ${letters(cancelled)} cancelled.`,
  );
}

/** Whatever ends this in between, the hold stands in the database until it is lifted there. */
async function goOn({ database }: Context, highWater: HighWater): Promise<void> {
  const { id } = await readStanding(database);
  const { marks } = await highWater.read();
  await highWater.forgetRestore();
  await highWater.forgetOthers(id);
  const mark = await liftHold(database, marks.get(id) ?? 0);
  if (mark === undefined) throw new ExpectedError('Somebody else has lifted the hold meanwhile.');
  await highWater.write(id, mark);
}

const letters = (n: number) => (n === 1 ? '1 letter' : `${n} letters`);
