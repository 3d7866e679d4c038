import { type Move, moves } from './letter.ts';

/**
 * The SQL of a move: part of a `with` list that finds letters, moves those that may move, and appends the
 * event of each in the same statement. Every change of a letter's state in this program is made of these; a
 * test reads the sources for others.
 *
 * `chosen` is a query that returns the ids of the letters (column `id`). After it, `<move>d` holds a row per
 * letter that really moved, with the columns of `returning`.
 *
 * @param name what the moved rows are called in the rest of the statement
 * @param set further assignments, e.g. `due_at = now()`
 */
export function moveLetters(
  move: Move,
  {
    name,
    chosen,
    set,
    returning = 'letter.id',
  }: { name: string; chosen: string; set?: string; returning?: string },
): string {
  const { from, to, event } = moves[move];
  return `
  ${name} as (
    update letter set state = '${to}', state_at = now()${set ? `, ${set}` : ''}
    where letter.id = any (array(${chosen})) and letter.state in (${from.map((state) => `'${state}'`).join(', ')})
    returning ${returning}
  ),
  ${name}_event as (
    insert into event (letter_id, type) select id, '${event}' from ${name}
  )`;
}

/**
 * The SQL that records outcomes, which differ letter by letter. `outcome` is a query with the columns
 * `id, move, code, host, response, due_at, sent_sha256`.
 */
export function recordOutcomes({ name, outcome }: { name: string; outcome: string }): string {
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
      state_at = now(), due_at = outcome.due_at, sent_sha256 = outcome.sent_sha256
    from outcome
    where letter.id = outcome.id and (${allowed})
    returning letter.id, letter.campaign_id, letter.brand_id, letter.state, letter.due_at,
      outcome.move, outcome.code, outcome.host, outcome.response
  ),
  ${name}_event as (
    insert into event (letter_id, type, code, host, response)
    select id, ${choose((move) => `'${moves[move].event}'`).replaceAll('outcome.', '')}::event_type, code, host, response
    from ${name}
  ),
  ${name}_waiting as (
    insert into waiting_letter (letter_id, campaign_id, brand_id, due_at, deferred)
    select id, campaign_id, brand_id, due_at, true from ${name} where state = 'deferred'
  )`;
}
