import Handlebars from 'handlebars';
import { z } from 'zod';
import { deceptive } from '../people/deceptive.ts';

/**
 * The sandbox for letter templates. They are written by organizers and are data, not code: a template may
 * name the variables below, ask `if` and `unless` about them, and nothing else.
 */

/** What a template may name. All are strings; an empty one counts as absent. */
export const variableNames = [
  'brand',
  'link',
  'ask',
  'reasons',
  'own_words',
  'name',
  'description',
  'country',
] as const;
type Variables = Record<(typeof variableNames)[number], string>;

/** Paragraphs that belong to a wording: reasons a person may pick, and what is said to each list's brands. */
export const passagesSchema = z.object({
  reasons: z.array(z.object({ key: z.string(), label: z.string(), text: z.string() })),
  lists: z.record(z.string(), z.object({ link: z.string(), ask: z.string() })),
});
export type Passages = z.infer<typeof passagesSchema>;

export type WordingSource = { sender: string; subject: string; body: string; passages: Passages };

/** What differs between two letters of one wording. */
export type Particulars = {
  brand: string;
  /** The list that speaks for the brand in this campaign. */
  list: string;
  /** Keys of reasons, in the order in which they shall stand. */
  reasons: readonly string[];
  ownWords?: string;
  name?: string;
  description?: string;
  /** As it shall be read, not a code. */
  country?: string;
};

export type Rendered = { sender: string; subject: string; text: string };
export type CompiledWording = (particulars: Particulars) => Rendered;

export type Compiled = { ok: true; render: CompiledWording } | { ok: false; problems: string[] };

const limits = { sender: 200, subject: 300, body: 10_000, passage: 2_000, depth: 4 };

/** A letter is about a page, and the longest own words are 24,000 code units: nothing honest comes near. */
const longest = { line: 900, text: 60_000 };

/**
 * Checks and compiles a wording with its passages. Problems are sentences for the person who wrote it.
 */
export function compileWording({ sender, subject, body, passages }: WordingSource): Compiled {
  const problems: string[] = [];
  const part = (name: string, template: string, limit: number): Render => {
    const found = checkTemplate(template, limit);
    problems.push(...found.map((problem) => `${name}: ${problem}`));
    return found.length === 0 ? compile(template) : () => '';
  };
  const parts = {
    sender: part('sender', sender, limits.sender),
    subject: part('subject', subject, limits.subject),
    body: part('body', body, limits.body),
    reasons: new Map(
      passages.reasons.map(({ key, text }) => [key, part(`reason ${key}`, text, limits.passage)] as const),
    ),
    lists: new Map(
      Object.entries(passages.lists).map(([key, { link, ask }]) => [
        key,
        {
          link: part(`link of list ${key}`, link, limits.passage),
          ask: part(`ask of list ${key}`, ask, limits.passage),
        },
      ]),
    ),
  };
  if (/[\r\n]/.test(sender + subject)) problems.push('sender and subject must be one line each');
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, render: (particulars) => render(parts, particulars) };
}

type Parts = {
  sender: Render;
  subject: Render;
  body: Render;
  reasons: Map<string, Render>;
  lists: Map<string, { link: Render; ask: Render }>;
};

function render(parts: Parts, particulars: Particulars): Rendered {
  const { brand, list, name = '', description = '', country = '', ownWords = '' } = particulars;
  const alone: Variables = {
    brand,
    name,
    description,
    country,
    own_words: ownWords,
    link: '',
    ask: '',
    reasons: '',
  };
  const passage = parts.lists.get(list);
  const variables: Variables = {
    ...alone,
    link: passage?.link(alone) ?? '',
    ask: passage?.ask(alone) ?? '',
    reasons: particulars.reasons.map((key) => parts.reasons.get(key)?.(alone) ?? '').join('\n\n'),
  };
  return {
    sender: oneLine(parts.sender(variables)),
    subject: oneLine(parts.subject(variables)),
    text: tidy(parts.body(variables)),
  };
}

type Render = (variables: Variables) => string;

function compile(template: string): Render {
  return Handlebars.compile<Variables>(template, {
    noEscape: true, // the letter is plain text
    strict: true,
    knownHelpers: { if: true, unless: true },
    knownHelpersOnly: true,
  });
}

function checkTemplate(template: string, limit: number): string[] {
  if (typeof template !== 'string') return ['is not text']; // Handlebars would take a parsed tree as well
  if (template.length > limit) return [`is longer than ${limit} characters`];
  if (deceptive.test(template)) return ['holds hidden characters, which control or reorder the text'];
  if (template.includes('{{{{')) return ['{{{{…}}}} is not available'];
  let program: hbs.AST.Program;
  try {
    program = Handlebars.parseWithoutProcessing(template);
  } catch {
    return ['is not a valid template: a {{ or }} is missing or in the wrong place'];
  }
  return checkProgram(program, 1);
}

type Node = hbs.AST.Node;

function checkProgram(program: hbs.AST.Program, depth: number): string[] {
  if (depth > limits.depth) return [`blocks may be nested ${limits.depth - 1} deep, not deeper`];
  if (program.blockParams?.length) return ['"as |…|" is not available'];
  return program.body.flatMap((node) => checkNode(node, depth));
}

function checkNode(node: Node, depth: number): string[] {
  switch (node.type) {
    case 'ContentStatement':
      return /\{\{|\}\}/.test((node as hbs.AST.ContentStatement).value)
        ? ['{{ and }} cannot be part of a letter; one of them is missing or too much']
        : [];
    case 'CommentStatement':
      return [];
    case 'MustacheStatement': {
      const mustache = node as hbs.AST.MustacheStatement;
      // the parser sets `escaped` for {{x}}; {{{x}}} and {{&x}} ask for raw output
      if (!mustache.escaped)
        return ['{{{…}}} and {{&…}} are not available; letters are plain text, write {{…}}'];
      if (mustache.params.length > 0 || mustache.hash) return ['{{…}} takes one variable and nothing else'];
      return checkPath(mustache.path);
    }
    case 'BlockStatement': {
      const block = node as hbs.AST.BlockStatement;
      const helper = block.path.type === 'PathExpression' ? block.path.original : '…';
      if (helper !== 'if' && helper !== 'unless')
        return [`{{#${helper}}} is not available; there are if and unless`];
      if (block.params.length !== 1 || block.hash) return [`{{#${helper}}} takes one variable`];
      return [
        ...checkPath(block.params[0] as Node),
        ...(block.program ? checkProgram(block.program, depth + 1) : []),
        ...(block.inverse ? checkProgram(block.inverse, depth + 1) : []),
      ];
    }
    default:
      return [`${notAvailable[node.type] ?? node.type} is not available; there are variables, if and unless`];
  }
}

const notAvailable: Record<string, string> = {
  PartialStatement: '{{>…}}',
  PartialBlockStatement: '{{#>…}}',
  Decorator: '{{*…}}',
  DecoratorBlock: '{{#*…}}',
};

function checkPath(node: Node): string[] {
  if (node.type === 'SubExpression') return ['(…) is not available; name a variable'];
  if (node.type !== 'PathExpression') return ['a fixed value cannot stand where a variable belongs'];
  const path = node as hbs.AST.PathExpression;
  const plain = !path.data && path.depth === 0 && path.parts.length === 1;
  return plain && (variableNames as readonly string[]).includes(path.original)
    ? []
    : [`{{${path.original}}} is not a variable; there are: ${variableNames.join(', ')}`];
}

function oneLine(text: string): string {
  return cut(text.replace(/\s+/g, ' '), longest.line).trim();
}

/** Conditions leave gaps behind: at most one empty line between paragraphs, none at the ends. */
function tidy(text: string): string {
  return cut(text, longest.text)
    .split(/\r\n?|\n/)
    .map((line) => line.trimEnd())
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}

/** A template may name a long variable many times. No character is cut in two. */
function cut(text: string, most: number): string {
  return text.length > most
    ? text
        .slice(0, most)
        .toWellFormed()
        .replace(/\ufffd$/, '')
    : text;
}
