/**
 * Characters that can change how other text is read: controls, and marks that reorder it (Unicode Bidi_Control).
 * Tabs and line breaks are not among them, and zero-width spaces and joiners stay: Khmer is written with them.
 */
export const deceptive =
  /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]/;
