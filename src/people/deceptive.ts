/**
 * Characters that can change how other text is read: controls, and marks that reorder it (Unicode Bidi_Control).
 * Tabs and line breaks are not among them, and zero-width spaces and joiners stay: Khmer is written with them.
 */
export const deceptive =
  /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]/;

/**
 * More marks on one letter than any script has: thirty at most are enough for all of them (UAX #15, stream-safe text
 * format). They cover what stands around them, and putting them in order, as `normalize` does, takes time that grows with
 * the square of their number. The last two are marks in compatibility forms only.
 */
const piled = /[\p{M}\uff9e\uff9f]{31}/u;

/** Whether a reader would see something else than what is there. */
export function hides(typed: string): boolean {
  return deceptive.test(typed) || !typed.isWellFormed() || piled.test(typed);
}
