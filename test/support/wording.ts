import {
  type CompiledWording,
  compileWording,
  type Particulars,
  type Passages,
  type WordingSource,
} from '../../src/campaigns/wording.ts';

const passages: Passages = { reasons: [], lists: {} };

export function wording(changes: Partial<WordingSource>): WordingSource {
  return { sender: 'Somebody', subject: 'Hello', body: 'Hello', passages, ...changes };
}

/** What is wrong with a wording; nothing: []. */
export function problemsWith(changes: Partial<WordingSource>): string[] {
  const compiled = compileWording(wording(changes));
  return compiled.ok ? [] : compiled.problems;
}

/** @throws Error when it does not compile */
export function compiled(changes: Partial<WordingSource>): CompiledWording {
  const found = compileWording(wording(changes));
  if (!found.ok) throw new Error(found.problems.join('; '));
  return found.render;
}

/** The text that a body gives. */
export function letter(body: string, particulars: Partial<Particulars> = {}, rest = passages): string {
  return compiled({ body, passages: rest })({ brand: 'Red', list: 'one', reasons: [], ...particulars }).text;
}
