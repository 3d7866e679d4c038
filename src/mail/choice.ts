/** What the choice between relays knows of each. */
export type Candidate = {
  /** Its share; 0: only while the others are away. */
  weight: number;
  /** Whether a message can go through it, now or after others; `opening`: that is being tried out. */
  state: 'well' | 'opening' | 'away';
  /** It could go at once. */
  room: boolean;
};

/**
 * The relay that takes the next message: by weight among those that are well, first of all among those that have
 * room. Pure.
 *
 * @param random from 0 to 1, 1 excluded
 * @returns undefined when all are away
 */
export function chooseRelay<Relay extends Candidate>(
  relays: readonly Relay[],
  random: number,
): Relay | undefined {
  const there = relays.filter(({ state }) => state !== 'away');
  const well = rather(there, ({ state }) => state === 'well');
  const wanted = rather(well, ({ weight }) => weight > 0);
  const candidates = rather(wanted, ({ room }) => room);
  let left = random * candidates.reduce((sum, candidate) => sum + shareOf(candidate), 0);
  for (const candidate of candidates) {
    left -= shareOf(candidate);
    if (left < 0) return candidate;
  }
  return candidates.at(-1);
}

/** Where one of the candidates weighs nothing, none does, and all have the same share. */
const shareOf = ({ weight }: Candidate) => weight || 1;

/** Those of the list, or all of it when there are none. */
function rather<One>(list: readonly One[], wanted: (one: One) => boolean): readonly One[] {
  const found = list.filter(wanted);
  return found.length > 0 ? found : list;
}
