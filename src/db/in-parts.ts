/** A list in parts of at most so many, in order: for statements that would take too long for all of it. */
export function* inParts<Item>(all: readonly Item[], most: number): Generator<Item[]> {
  for (let from = 0; from < all.length; from += most) yield all.slice(from, from + most);
}
