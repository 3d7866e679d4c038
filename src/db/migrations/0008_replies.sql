-- Up Migration

-- What brands answer, and what advocates answer them (docs/decisions/0017).
alter type event_type add value 'replied';
alter type event_type add value 'answered';

-- Mail to an advocate: an answer of theirs came by mail, and waits until they have looked at it.
alter type notice_kind add value 'answer';

create type reply_direction as enum ('from brand', 'from advocate');

create type reply_state as enum (
  'kept', 'draft', 'waiting', 'sending', 'accepted', 'rejected', 'abandoned', 'unknown', 'bounced'
);

create table reply (
  id            bigint generated always as identity primary key,
  handle        text not null unique check (handle ~ '^[0-9a-f]{20}$'),
  letter_id     bigint not null,
  advocate_id   bigint not null references advocate on delete cascade,
  answers_id    bigint references reply on delete set null,
  direction     reply_direction not null,
  automatic     boolean not null default false,
  at            timestamptz not null default now(),
  state         reply_state not null,
  state_at      timestamptz not null default now(),
  due_at        timestamptz not null default now(),
  first_tried_at timestamptz,
  tries         smallint not null default 0,
  digest        bytea not null,
  content       bytea not null,
  cargo         bytea,
  unique (letter_id, digest),
  constraint only_answers_are_drafted check (state <> 'draft' or direction = 'from advocate'),
  constraint only_what_a_brand_wrote_is_kept check (state <> 'kept' or direction = 'from brand')
);
create index reply_of_advocate on reply (advocate_id);
create index reply_answered on reply (answers_id) where answers_id is not null;
create index reply_waiting on reply (due_at) where state = 'waiting';
create index reply_sending on reply (state_at) where state = 'sending';
comment on table reply is 'mail between a brand and an advocate after the letter; goes with the advocate''s row';
comment on column reply.handle is 'random: in its Message-ID and its aliases; names the row for the encryption';
comment on column reply.answers_id is 'from advocate: the brand''s mail that it answers';
comment on column reply.automatic is 'from brand: a machine wrote it, or it came round to us again; never passed on';
comment on column reply.state is 'kept: shown and not passed on; draft: waits for its writer; the rest: how passing it on stands';
comment on column reply.digest is 'the same mail, or the same form, is one reply';
comment on column reply.content is 'encrypted under the advocate''s data key: who, subject, text, names of attachments';
comment on column reply.cargo is 'encrypted likewise: the attachments that are passed on, and only until they are';
