-- Up Migration

-- Mail that comes back (docs/decisions/0013): reports, complaints, automatic replies, and what no rule could place.

-- Events that leave the letter where it is.
alter type event_type add value 'relayed';
alter type event_type add value 'expanded';
alter type event_type add value 'delayed';
alter type event_type add value 'complained';
alter type event_type add value 'auto_replied';

create table came_back (
  letter_id  bigint not null,
  digest     bytea not null,
  at         timestamptz not null default now(),
  primary key (letter_id, digest)
);
comment on table came_back is 'mail about a letter that was counted: the same mail again changes nothing';
comment on column came_back.digest is 'SHA-256 of its Message-ID and its body';

create table pen (
  id           bigint generated always as identity primary key,
  received_at  timestamptz not null default now(),
  reason       text not null check (length(reason) between 1 and 60),
  letter_id    bigint,
  digest       bytea not null,
  data_key     bytea not null,
  key_version  smallint not null,
  raw          bytea not null,
  unique nulls not distinct (letter_id, digest)
);
create index pen_by_age on pen (received_at);
comment on table pen is 'mail that waits for a person, for 28 days at most';
comment on column pen.letter_id is 'the letter that its recipient address names, if one does';
comment on column pen.digest is 'SHA-256 of its Message-ID and its body: the same mail about the same letter is kept once';
comment on column pen.data_key is 'encrypted under APP_KEY of key_version; without it the mail is noise';
comment on column pen.raw is 'encrypted: the message as it came';

alter table contact
  add failures          smallint not null default 0,
  add failed_at         timestamptz,
  add suspended_at      timestamptz,
  add suspension_told   boolean not null default false;
comment on column contact.failures is 'letters that it refused for good since the last one that was delivered';
comment on column contact.failed_at is 'when it refused the last one';
comment on column contact.suspended_at is 'since when its letters wait';
comment on column contact.suspension_told is 'the log has said so';
