import { hopMark } from '../replies/marks.ts';
import { field } from './fields.ts';
import type { Mail } from './read-mail.ts';
import type { Rule } from './rule.ts';

type Sign = { name: string; source: string; on: (mail: Mail) => boolean };

const says = (name: string, words: RegExp) => (mail: Mail) => words.test(field(mail.header, name) ?? '');
const has = (name: string) => (mail: Mail) => mail.header.has(name);

/** Each of these is put on by a machine that answers, and by nobody else. */
export const certainSigns: readonly Sign[] = [
  {
    name: hopMark,
    source: 'put on by Outspoken on what it passes on, so that nothing is passed on twice',
    on: has(hopMark.toLowerCase()),
  },
  {
    name: 'Auto-Submitted: auto-replied',
    source: 'RFC 3834 section 5',
    on: says('auto-submitted', /^\s*auto-(replied|notified)\b/i),
  },
  {
    name: 'X-Autoreply',
    source: 'seen from Gmail, GroupWise, cPanel and vacation programs',
    on: has('x-autoreply'),
  },
  {
    name: 'X-Autorespond',
    source: 'seen from Plesk, cPanel and qmail-autoresponder',
    on: has('x-autorespond'),
  },
  { name: 'X-Autoresponder', source: 'seen from hosting providers', on: has('x-autoresponder') },
  { name: 'X-Mail-Autoreply', source: 'seen from Plesk', on: has('x-mail-autoreply') },
  {
    name: 'Precedence: auto_reply',
    source: 'seen from Yahoo, Lyris and other responders',
    on: says('precedence', /^\s*auto[_-]?reply\b/i),
  },
  {
    name: 'X-Apple-Action: VACATION',
    source: 'seen from iCloud Mail',
    on: says('x-apple-action', /vacation/i),
  },
  {
    name: 'X-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent',
    source: 'seen from Exchange',
    on: says('x-ms-exchange-generated-message-source', /mailbox rules agent/i),
  },
];

/** These stand on what machines send, and on what people send through them, e.g. a ticket's answer. */
export const weakSigns: readonly Sign[] = [
  {
    name: 'Auto-Submitted: auto-generated',
    source:
      'RFC 3834 section 5; seen from Exchange on vacation notes, from ticket systems on people’s answers',
    on: says('auto-submitted', /^\s*auto-generated\b/i),
  },
  {
    name: 'X-Auto-Response-Suppress',
    source: 'MS-OXCMAIL section 2.1.3.2.20; seen from Exchange on vacation notes',
    on: says('x-auto-response-suppress', /\b(all|oof|autoreply)\b/i),
  },
  {
    name: 'Precedence: bulk',
    source: 'RFC 2076 section 3.9; seen from vacation(1)',
    on: says('precedence', /^\s*(bulk|junk)\b/i),
  },
];

/** How vacation notes begin their subject; only at the very beginning, where nobody writes it by hand. */
export const subjects: readonly { language: string; words: RegExp }[] = [
  { language: 'en', words: /^(automatic reply|auto(matic)?[ -]?(reply|response)|out of (the )?office)\b/ },
  { language: 'de', words: /^(automatische antwort|abwesenheitsnotiz|abwesenheitsnachricht)\b/ },
  { language: 'fr', words: /^(r[ée]ponse automatique|absence du bureau)/ },
  { language: 'es', words: /^(respuesta autom[áa]tica|fuera de la oficina)/ },
  { language: 'pt', words: /^resposta autom[áa]tica/ },
  { language: 'it', words: /^(risposta automatica|fuori ufficio)/ },
  { language: 'nl', words: /^(automatisch antwoord|afwezigheidsbericht)\b/ },
  { language: 'sv', words: /^(autosvar|automatiskt svar)\b/ },
  { language: 'da, nb', words: /^(automatisk svar|autosvar)\b/ },
  { language: 'fi', words: /^automaattinen vastaus/ },
  { language: 'pl', words: /^automatyczna odpowied[źz]/ },
  { language: 'tr', words: /^otomatik yan[ıi]t/ },
  { language: 'ru', words: /^автоматический ответ/ },
  { language: 'ja', words: /^(自動応答|自動返信|不在通知)/ },
  { language: 'zh', words: /^(自动回复|自動回覆|自動回復|自动答复)/ },
  { language: 'ko', words: /^(자동 ?회신|자동 ?응답|부재중)/ },
  { language: 'vi', words: /^(trả lời tự động|tự động trả lời)/ },
  { language: 'cs, sk', words: /^automatická odpov[ěe]ď/ },
  { language: 'hu', words: /^automatikus válasz/ },
  { language: 'ro', words: /^răspuns automat/ },
  { language: 'el', words: /^αυτόματη απάντηση/ },
  { language: 'uk', words: /^автоматична відповідь/ },
  { language: 'ar', words: /^رد تلقائي/ },
  { language: 'he', words: /^(תשובה אוטומטית|מענה אוטומטי)/ },
  { language: 'th', words: /^(การ)?ตอบกลับอัตโนมัติ/ },
  { language: 'id', words: /^balasan otomatis/ },
  // of Notes, which names the writer before it says why
  { language: 'en', words: /^auto: .*\bout of the office\b/ },
];

function subjectSays({ subject }: Mail): boolean {
  const begin = subject.normalize('NFC').trim().toLowerCase();
  return subjects.some(({ words }) => words.test(begin));
}

/** Automatic replies: what is written down of them is that they came. */
export const automaticRules: readonly Rule[] = [
  {
    name: 'disposition notification',
    source: 'RFC 8098: multipart/report with report-type=disposition-notification',
    judge: ({ reportType }) =>
      reportType === 'disposition-notification' ? automatic('disposition notification') : undefined,
  },
  ...certainSigns.map(
    ({ name, source, on }): Rule => ({
      name,
      source,
      judge: (mail) => (on(mail) ? automatic(name) : undefined),
    }),
  ),
  ...weakSigns.map(
    ({ name, source, on }): Rule => ({
      name,
      source: `${source}; only with an empty sender or a subject that says so`,
      judge: (mail, { nullSender }) =>
        on(mail) && (nullSender || subjectSays(mail)) ? automatic(name) : undefined,
    }),
  ),
  {
    name: 'subject',
    source: 'seen from Exchange, Outlook, Notes and webmail in many languages; the last resort',
    judge: (mail) => (subjectSays(mail) ? automatic('subject') : undefined),
  },
];

function automatic(rule: string) {
  return { kind: 'automatic reply', rule } as const;
}
