/** Where a worker stands among all that live: `rank` counts those that came before it. */
export type Place = { workers: number; rank: number };

/**
 * How many of a relay's connections this worker may have. What does not divide goes to those who came first;
 * nobody gets less than one, even where there are more workers than connections. Pure.
 */
export function shareOf(connections: number, { workers, rank }: Place): number {
  const odd = rank < connections % workers ? 1 : 0;
  return Math.max(1, Math.floor(connections / workers) + odd);
}
