import { type Move, moves, type News } from './letter.ts';

/** What stands beside an event: SQL for its code, its host and its response. */
export type Evidence = { code: string; host: string; response: string };

const noEvidence: Evidence = { code: 'null', host: 'null', response: 'null' };

/**
 * The SQL of a move: part of a `with` list that finds letters, moves those that may move, and appends the
 * event of each in the same statement. Every change of a letter's state in this program is made of these; a
 * test reads the sources for others.
 *
 * `chosen` is a query that returns the ids of the letters (column `id`). After it, `name` holds a row per letter
 * that really moved, with the columns of `returning`.
 *
 * @param name what the moved rows are called in the rest of the statement
 * @param set further assignments, e.g. `due_at = now()`
 * @param only what must hold for the letter at the moment when it moves, e.g. `bundle_id = $1`: unlike `chosen`, it
 *   is judged again when the letter changed while this waited for it
 * @param evidence what was said, where somebody said it
 */
export function moveLetters(
  move: Move,
  {
    name,
    chosen,
    set,
    only,
    returning = 'letter.id',
    evidence = noEvidence,
  }: { name: string; chosen: string; set?: string; only?: string; returning?: string; evidence?: Evidence },
): string {
  const { from, to, event } = moves[move];
  return `
  ${name} as (
    update letter set state = '${to}', state_at = now()${set ? `, ${set}` : ''}
    where letter.id = any (array(${chosen})) and letter.state in (${from.map((state) => `'${state}'`).join(', ')})${only ? ` and ${only}` : ''}
    returning ${returning}
  ),
  ${name}_event as (
    insert into event (letter_id, type, code, host, response)
    select id, '${event}', ${evidence.code}, ${evidence.host}, ${evidence.response} from ${name}
  )`;
}

/** What a move returns of letters that go into the line, or out of it. */
export const placeInLine = 'id, campaign_id, brand_id, due_at';

/**
 * The SQL that puts letters into the line: part of a `with` list. `rows` has a row per letter, with the columns of
 * `placeInLine`. `deferred`: they are put off until they fall due.
 */
export function putIntoLine(rows: string, { deferred = false, where = 'true' } = {}): string {
  return `
  ${rows}_waiting as (
    insert into waiting_letter (letter_id, campaign_id, brand_id, due_at, deferred)
    select ${placeInLine}, ${deferred} from ${rows} where ${where}
  )`;
}

/**
 * The SQL that puts back what was released and not claimed, each letter into its old place in the line: part of a
 * `with` list. After it, `name` holds a row per letter.
 */
export function putBack({ name, chosen, only }: { name: string; chosen: string; only?: string }): string {
  return `
  ${moveLetters('return', { name, chosen, only, returning: placeInLine })},
  ${putIntoLine(name)}`;
}

/**
 * The SQL that lets go of letters which were claimed and surely have not left, each into its old place in the line: part of
 * a `with` list. It was no try. After it, `name` holds a row per letter. Whoever erased a letter meanwhile took its words
 * along: it falls due at once, and is given up then. Others may have lost sight of it meanwhile, who knew no better.
 */
export function letGo({ name, chosen, only }: { name: string; chosen: string; only: string }): string {
  const [named, writer, orphaned] = [`${name}_named`, `${name}_writer`, `${name}_orphaned`];
  const hasWriter = `advocate_id = any (array(select id from ${writer}))`;
  return `
  ${named} as materialized (
    select id, advocate_id from letter where id = any (array(${chosen})) and state in ('sending', 'unknown') and ${only}
  ),
  ${writer} as (
    select id from advocate where id = any (array(select advocate_id from ${named})) order by id for key share
  ),
  ${moveLetters('letGo', {
    name,
    chosen: `select id from ${named} where ${hasWriter}`,
    set: 'tries = tries - 1, first_tried_at = nullif(first_tried_at, state_at)', // as the claim found it
    only,
    returning: placeInLine,
  })},
  ${putIntoLine(name)},
  ${moveLetters('defer', {
    name: orphaned,
    chosen: `select id from ${named} where (${hasWriter}) is not true`,
    set: 'due_at = now()',
    only,
    returning: placeInLine,
  })},
  ${putIntoLine(orphaned, { deferred: true })}`;
}

/**
 * The SQL that takes letters out of the line: part of a `with` list. `rows` has a row per letter, with the columns
 * `id, campaign_id, brand_id, due_at` as they were while it waited. Each is looked up by the key of its index: a plan
 * from a time in which none was put off would as soon go through all that were.
 */
export function takeOutOfLine(rows: string): string {
  const places = (where: string) => `
      select place from ${rows}, lateral (
        select ctid as place from waiting_letter
        where ${where} and waiting_letter.due_at = ${rows}.due_at and letter_id = id
        offset 0
      ) as waiting`;
  const ready = `not deferred and waiting_letter.campaign_id = ${rows}.campaign_id
          and waiting_letter.brand_id = ${rows}.brand_id`;
  return `
  out_of_line as (
    delete from waiting_letter where ctid = any (array(${places(ready)}
      union all ${places('deferred')}
    ))
  )`;
}

/** The SQL of an event that moves nothing: part of a `with` list. `chosen` returns the letters' ids (column `id`). */
export function appendNews(
  type: News,
  { name, chosen, evidence = noEvidence }: { name: string; chosen: string; evidence?: Evidence },
): string {
  return `
  ${name} as (
    insert into event (letter_id, type, code, host, response)
    select id, '${type}', ${evidence.code}, ${evidence.host}, ${evidence.response} from (${chosen}) as chosen
  )`;
}

/**
 * The SQL that records outcomes, which differ letter by letter. `outcome` is a query with the columns
 * `id, move, code, host, response, due_at, sent_sha256`; `only` is what must hold for a letter (see above).
 */
export function recordOutcomes({
  name,
  outcome,
  only,
}: {
  name: string;
  outcome: string;
  only: string;
}): string {
  const recorded = ['accept', 'reject', 'defer', 'loseSight'] as const;
  const choose = (value: (move: (typeof recorded)[number]) => string) =>
    `case outcome.move ${recorded.map((move) => `when '${move}' then ${value(move)}`).join(' ')} end`;
  const allowed = recorded
    .map(
      (move) =>
        `outcome.move = '${move}' and letter.state in (${moves[move].from.map((s) => `'${s}'`).join(', ')})`,
    )
    .join(' or ');
  return `
  outcome as (${outcome}),
  ${name} as (
    update letter set
      state = ${choose((move) => `'${moves[move].to}'`)}::letter_state,
      state_at = now(), due_at = outcome.due_at, sent_sha256 = coalesce(outcome.sent_sha256, letter.sent_sha256)
    from outcome
    where letter.id = outcome.id and ${only} and (${allowed})
    returning letter.id, letter.campaign_id, letter.brand_id, letter.state, letter.due_at,
      outcome.move, outcome.code, outcome.host, outcome.response
  ),
  ${name}_event as (
    insert into event (letter_id, type, code, host, response)
    select id, ${choose((move) => `'${moves[move].event}'`).replaceAll('outcome.', '')}::event_type, code, host, response
    from ${name}
  ),
  ${putIntoLine(name, { deferred: true, where: "state = 'deferred'" })}`;
}
