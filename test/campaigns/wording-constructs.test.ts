import { describe, expect, it } from '@jest/globals';
import { compiled, letter, problemsWith } from '../support/wording.ts';

const somebody = { name: 'Sok', country: 'Cambodia', ownWords: 'I sew.' };

describe('a letter template', () => {
  it.each([
    ['Dear {{brand}},', 'Dear Red,'],
    ['{{ brand }}{{~ name ~}}  !', 'RedSok!'],
    ['{{[brand]}}', 'Red'],
    ['{{#if name}}I am {{name}}.{{/if}}', 'I am Sok.'],
    ['{{#if description}}I am {{description}}.{{/if}}So.', 'So.'],
    ['{{#if description}}a{{else}}b{{/if}}', 'b'],
    ['{{#if description}}a{{else if country}}from {{country}}{{else}}c{{/if}}', 'from Cambodia'],
    ['{{#if description}}a{{^}}b{{/if}}{{^if name}}c{{/if}}', 'b'],
    ['{{#unless description}}a{{else}}b{{/unless}}{{#unless name}}c{{/unless}}', 'a'],
    ['{{#if name}}{{#if country}}{{#if own_words}}deep{{/if}}{{/if}}{{/if}}', 'deep'],
    ['a{{! a note }}{{!-- another: {{name}} --}}b', 'ab'],
    ['5 < 6 & 7 > 6, "so" it\'s {a} }b{', '5 < 6 & 7 > 6, "so" it\'s {a} }b{'],
    ['{{own_words}}', 'I sew.'],
    ['កម្មករ\u200b {{brand}}', 'កម្មករ\u200b Red'],
  ])('says what it says: %j', (body, text) => {
    expect(letter(body, somebody)).toBe(text);
  });

  it('takes its reasons and the words for a list from its passages, and puts variables in there as well', () => {
    const passages = {
      reasons: [
        { key: 'a', label: 'A', text: 'First, {{brand}}.' },
        { key: 'b', label: 'B', text: 'Second{{#if name}}, says {{name}}{{/if}}.' },
      ],
      lists: { one: { link: '{{brand}} is on list one.', ask: 'Speak, {{brand}}.' } },
    };
    const body = '{{link}}\n\n{{reasons}}\n\n{{ask}}';
    expect(letter(body, { ...somebody, reasons: ['b', 'a'] }, passages)).toBe(
      'Red is on list one.\n\nSecond, says Sok.\n\nFirst, Red.\n\nSpeak, Red.',
    );
    expect(letter(body, { list: 'another', reasons: ['unknown'] }, passages)).toBe('');
  });

  it('leaves no gaps where a condition was not met', () => {
    const body = 'One  \n\n{{#if description}}\nno\n{{/if}}\n\n\r\n{{#if name}}\nTwo\n{{/if}}\n\n\n';
    expect(letter(body, somebody)).toBe('One\n\nTwo');
  });

  it('may chain conditions up to its depth', () => {
    expect(letter('{{#if link}}a{{else if ask}}b{{else if name}}c{{else}}d{{/if}}', somebody)).toBe('c');
  });
});

describe('what a letter template may not hold', () => {
  it.each([
    ['{{{name}}}', 'plain text'],
    ['{{&name}}', 'plain text'],
    ['{{@root}}', '{{@root}} is not a variable'],
    ['{{@root.name}}', '{{@root.name}} is not a variable'],
    ['{{@index}}', 'is not a variable'],
    ['{{../name}}', '{{../name}} is not a variable'],
    ['{{this}}', '{{this}} is not a variable'],
    ['{{.}}', 'is not a variable'],
    ['{{this.name}}', 'is not a variable'],
    ['{{./name}}', 'is not a variable'],
    ['{{this.constructor}}', 'is not a variable'],
    ['{{name.constructor}}', 'is not a variable'],
    ['{{name.length}}', 'is not a variable'],
    ['{{constructor}}', 'is not a variable'],
    ['{{__proto__}}', 'is not a variable'],
    ['{{[__proto__]}}', 'is not a variable'],
    ['{{toString}}', 'is not a variable'],
    ['{{Name}}', 'is not a variable'],
    ['{{own-words}}', '{{own-words}} is not a variable; there are: brand, link, ask'],
    ['{{lookup}}', 'is not a variable'],
    ['{{lookup name "length"}}', 'one variable and nothing else'],
    ['{{log name}}', 'one variable and nothing else'],
    ['{{name "x"}}', 'one variable and nothing else'],
    ['{{name size=1}}', 'one variable and nothing else'],
    ['{{#each own_words}}x{{/each}}', '{{#each}} is not available'],
    ['{{#with name}}x{{/with}}', '{{#with}} is not available'],
    ['{{#lookup name "x"}}x{{/lookup}}', '{{#lookup}} is not available'],
    ['{{#name}}x{{/name}}', '{{#name}} is not available'],
    ['{{^name}}x{{/name}}', '{{#name}} is not available'],
    ['{{#"if" name}}x{{/"if"}}', 'is not available'],
    ['{{#@root.if name}}x{{/@root.if}}', 'is not available'],
    ['{{#if}}x{{/if}}', '{{#if}} takes one variable'],
    ['{{#if name country}}x{{/if}}', '{{#if}} takes one variable'],
    ['{{#if name includeZero=true}}x{{/if}}', '{{#if}} takes one variable'],
    ['{{#if name as |x|}}{{x}}{{/if}}', '|…|'],
    ['{{#if name}}a{{else if country as |x|}}b{{/if}}', '|…|'],
    ['{{#if @root}}x{{/if}}', 'is not a variable'],
    ['{{#if unknown}}x{{/if}}', '{{unknown}} is not a variable'],
    ['{{#if name}}a{{else if unknown}}b{{/if}}', '{{unknown}} is not a variable'],
    ['{{#if name}}a{{else}}{{unknown}}{{/if}}', '{{unknown}} is not a variable'],
    ['{{#unless (name)}}x{{/unless}}', '(…) is not available'],
    ['{{#if "name"}}x{{/if}}', 'fixed value'],
    ['{{#if 1}}x{{/if}}', 'fixed value'],
    ['{{#if true}}x{{/if}}', 'fixed value'],
    ['{{#if null}}x{{/if}}', 'fixed value'],
    ['{{"name"}}', 'fixed value'],
    ['{{true}}', 'fixed value'],
    ['{{undefined}}', 'fixed value'],
    ['{{0}}', 'fixed value'],
    ['{{> page}}', '{{>…}} is not available'],
    ['{{> (name)}}', '{{>…}} is not available'],
    ['{{#> page}}x{{/page}}', '{{#>…}} is not available'],
    ['{{* decorate}}', '{{*…}} is not available'],
    ['{{#*inline "x"}}x{{/inline}}', '{{#*…}} is not available'],
    ['{{{{if name}}}}{{x}}{{{{/if}}}}', '{{{{…}}}} is not available'],
    ['{{{{raw}}}} {{x}} {{{{/raw}}}}', '{{{{…}}}} is not available'],
    ['\\{{name}}', '{{ and }}'],
    ['Dear name}},', '{{ and }}'],
    ['Dear {{name,', 'not a valid template'],
    ['{{#if name}}x', 'not a valid template'],
    ['{{#if name}}x{{/unless}}', 'not a valid template'],
    ['x{{/if}}', 'not a valid template'],
    ['{{else}}', 'not a valid template'],
    ['{{(name)}}', 'not a valid template'],
    ['{{}}', 'not a valid template'],
    ['a\u202eb', 'hidden characters'],
    ['a\u0000b', 'hidden characters'],
    ['{{#if name}}{{#if name}}{{#if name}}{{#if name}}x{{/if}}{{/if}}{{/if}}{{/if}}', '3 deep'],
    ['{{#if link}}a{{else if ask}}b{{else if name}}c{{else if brand}}d{{/if}}', '3 deep'],
    ['x'.repeat(10_001), 'longer than 10000 characters'],
  ])('is named in a sentence: %j', (body, problem) => {
    expect(problemsWith({ body })).toEqual([expect.stringContaining(problem)]);
    expect(problemsWith({ body })[0]).toMatch(/^body: [^:]{8}/);
  });

  it('is found in every part, and everything is told at once', () => {
    const bad = '{{unknown}}';
    const reason = { key: 'pay', label: 'Pay', text: bad };
    const problems = problemsWith({
      sender: bad,
      subject: bad,
      body: `${bad}{{> page}}`,
      passages: { reasons: [reason], lists: { one: { link: bad, ask: bad } } },
    });
    expect(problems.map((problem) => problem.split(':')[0])).toEqual([
      'sender',
      'subject',
      'body',
      'body',
      'reason pay',
      'link of list one',
      'ask of list one',
    ]);
  });

  it('is a long sender, subject or passage, or a line break in those of one line', () => {
    expect(problemsWith({ sender: 'x'.repeat(201) })).toEqual(['sender: is longer than 200 characters']);
    expect(problemsWith({ subject: 'x'.repeat(301) })).toEqual(['subject: is longer than 300 characters']);
    const reasons = [{ key: 'pay', label: 'Pay', text: 'x'.repeat(2001) }];
    expect(problemsWith({ passages: { reasons, lists: {} } })).toEqual([
      'reason pay: is longer than 2000 characters',
    ]);
    for (const lineBreak of ['\n', '\r', '\r\n']) {
      expect(problemsWith({ subject: `a${lineBreak}Bcc: b@mail.example` })).toHaveLength(1);
      expect(problemsWith({ sender: `a${lineBreak}b` })).toHaveLength(1);
    }
  });

  it('is nothing when everything is at its limit', () => {
    const render = compiled({ sender: 'x'.repeat(200), subject: 'y'.repeat(300), body: 'z'.repeat(10_000) });
    const { sender, subject, text } = render({ brand: 'Red', list: '', reasons: [] });
    expect([sender.length, subject.length, text.length]).toEqual([200, 300, 10_000]);
  });
});
