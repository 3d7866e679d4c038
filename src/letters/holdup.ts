import { held } from '../hold/hold.ts';
import type { LetterState } from './letter.ts';
import { allowance } from './pace.ts';

/** Why a letter that waits has not left yet, beyond waiting for its turn. */
export type Holdup =
  | { kind: 'hours'; from: string; until: string; zone: string }
  /** Nothing leaves: see src/hold. */
  | { kind: 'hold' }
  /** The campaign is paused. */
  | { kind: 'pause' }
  /** The brand takes no letters by mail. */
  | { kind: 'unreachable' }
  /** Letters to the contact came back: it is suspended. */
  | { kind: 'contact' }
  | { kind: 'break' }
  | { kind: 'pace' };

export type HoldupRow = {
  /** The contact's hours, when it is not within them now. */
  hours: { from: string; until: string; zone: string } | null;
  held: boolean;
  paused: boolean;
  by_mail: boolean;
  suspended: boolean;
  on_break: boolean;
  hourly_pace: number | null;
  ahead: number;
};

/** Columns of `campaign`, `contact` and `receiver` that tell: SQL. */
export const holdupColumns = `
  ${held} as held, campaign.state = 'paused' as paused, contact.kind = 'email' as by_mail,
  contact.health = 'suspended' as suspended,
  case when not is_within_hours(now(), sends_from, sends_until, time_zone) then json_build_object(
    'from', to_char(sends_from, 'HH24:MI'), 'until', to_char(sends_until, 'HH24:MI'), 'zone', time_zone) end as hours,
  probe_at is not null as on_break, hourly_pace,
  greatest(extract(epoch from released_until - now()), -1e6)::float8 as ahead`;

/** States that a hold keeps a letter in. */
const stopped: readonly LetterState[] = ['ready', 'queued', 'deferred'];

export function holdupOf(state: LetterState, row: HoldupRow): Holdup | undefined {
  if (row.held && stopped.includes(state)) return { kind: 'hold' };
  if (state !== 'ready') return undefined;
  if (row.paused) return { kind: 'pause' };
  if (!row.by_mail) return { kind: 'unreachable' };
  if (row.suspended) return { kind: 'contact' };
  if (row.on_break) return { kind: 'break' };
  if (row.hours) return { kind: 'hours', ...row.hours };
  return allowance(row.hourly_pace, row.ahead) < 1 ? { kind: 'pace' } : undefined;
}
