-- Up Migration

-- The words are the design's; the comments on the columns say what a reader of the data must know.
-- Personal data lives only in columns that say "encrypted": AES-256-GCM under the advocate's own data key.

create type campaign_state as enum ('draft', 'open', 'paused', 'closed');
create type contact_kind as enum ('email', 'form', 'post');
create type contact_health as enum ('good', 'suspended');
create type identity as enum ('named', 'described', 'counted');
create type letter_state as enum (
  'draft', 'held', 'ready', 'queued', 'sending', 'deferred', 'unknown',
  'accepted', 'delivered', 'rejected', 'bounced', 'abandoned', 'cancelled', 'expired'
);
create type event_type as enum (
  'drafted', 'confirmed', 'held', 'reviewed', 'expired', 'duplicate_found',
  'released', 'returned', 'claimed', 'accepted', 'rejected', 'deferred', 'sight_lost',
  'fell_due', 'abandoned', 'cancelled', 'resent', 'delivered', 'bounced'
);
create type notice_kind as enum ('confirm');
create type notice_state as enum ('waiting', 'sending', 'accepted', 'rejected', 'abandoned');

create table campaign (
  id               integer generated always as identity primary key,
  slug             text not null unique check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and length(slug) <= 60),
  state            campaign_state not null default 'draft',
  opens_at         timestamptz,
  closes_at        timestamptz,
  mail_domain      text,
  texts            jsonb not null,
  fingerprint_key  bytea,
  key_version      smallint,
  created_at       timestamptz not null default now(),
  constraint a_campaign_with_letters_has_its_key
    check (state = 'closed' or (fingerprint_key is not null and key_version is not null))
);
comment on column campaign.mail_domain is 'the domain of From, Reply-To and Return-Path; null: the instance''s MAIL_DOMAIN';
comment on column campaign.texts is 'by language: title, summary, story, ask, sources, lists';
comment on column campaign.fingerprint_key is 'encrypted under APP_KEY; destroyed when the campaign closes';

create table brand (
  id    integer generated always as identity primary key,
  slug  text not null unique check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and length(slug) <= 60),
  name  text not null check (length(name) between 1 and 80)
);

create table contact (
  id               integer generated always as identity primary key,
  brand_id         integer not null references brand,
  kind             contact_kind not null,
  address          text not null check (length(address) between 3 and 254),
  source_url       text,
  verified_on      date,
  verified_by      text,
  health           contact_health not null default 'good',
  hourly_pace      integer check (hourly_pace > 0),
  released_until   timestamptz not null default '-infinity',
  constraint a_real_contact_has_a_source_a_date_and_a_checker
    check (address like '%.example' or (source_url is not null and verified_on is not null and verified_by is not null))
);
create index contact_brand on contact (brand_id);
comment on column contact.hourly_pace is 'letters per hour; null: as fast as the relay takes them';
comment on column contact.released_until is 'how far ahead of its pace this contact has been served (theoretical arrival time, GCRA)';

create table wording (
  id           integer generated always as identity primary key,
  campaign_id  integer not null references campaign,
  language     text not null check (language ~ '^[a-z]{2,3}(-[A-Za-z0-9]+)*$'),
  version      integer not null check (version > 0),
  sender       text not null,
  subject      text not null,
  body         text not null,
  passages     jsonb not null,
  created_at   timestamptz not null default now(),
  unique (campaign_id, language, version)
);
comment on table wording is 'immutable: a change is a new version';
comment on column wording.passages is 'reasons (key, label, text) and, per list, the brand''s link and what it is asked';

create table campaign_brand (
  campaign_id  integer not null references campaign,
  brand_id     integer not null references brand,
  contact_id   integer not null references contact,
  position     integer not null,
  lists        text[] not null check (cardinality(lists) > 0),
  primary key (campaign_id, brand_id)
);
comment on column campaign_brand.lists is 'keys of the campaign''s sourced lists that name the brand; the first one speaks in the letter';

create table advocate (
  id              bigint generated always as identity primary key,
  campaign_id     integer not null references campaign,
  submission      bytea not null unique,
  created_at      timestamptz not null default now(),
  confirmed_at    timestamptz,
  language        text not null,
  identity        identity not null,
  data_key        bytea not null,
  key_version     smallint not null,
  address         bytea not null,
  said            bytea not null,
  tokens          bytea not null,
  confirm_hash    bytea not null unique,
  receipt_hash    bytea not null unique,
  waiting_hash    bytea not null unique
) with (fillfactor = 70);
create index advocate_by_age on advocate (created_at);
comment on table advocate is 'one person''s submission to one campaign; the row is deleted when the person erases it or the clock does';
comment on column advocate.submission is 'keyed hash of the form''s hidden id and of what was typed: a double click is one submission';
comment on column advocate.data_key is 'encrypted under APP_KEY of key_version; without it the encrypted columns are noise';
comment on column advocate.address is 'encrypted: the e-mail address';
comment on column advocate.said is 'encrypted: name or description, country, reasons, own words';
comment on column advocate.tokens is 'encrypted: the confirm, receipt and waiting tokens; the database finds them by hash only';
comment on column advocate.confirm_hash is 'SHA-256 of the confirm token';
comment on column advocate.receipt_hash is 'SHA-256 of the receipt token';
comment on column advocate.waiting_hash is 'SHA-256 of the token of the page that says "look into your mailbox"';

-- No index stands on a column of letter that changes, so that every move is a heap-only update
-- (docs/decisions/0002). What must be found by state is listed in waiting_letter and bundle instead.
create table letter (
  id              bigint generated always as identity primary key,
  advocate_id     bigint references advocate on delete set null,
  campaign_id     integer not null,
  brand_id        integer not null,
  wording_id      integer not null,
  contact_id      integer,
  state           letter_state not null default 'draft',
  tries           smallint not null default 0,
  state_at        timestamptz not null default now(),
  due_at          timestamptz,
  first_tried_at  timestamptz,
  message_id      text unique,
  sent_sha256     bytea
) with (fillfactor = 50);
create index letter_of_advocate on letter (advocate_id);
create index letter_to_strip on letter (id) where advocate_id is null and message_id is not null;
comment on column letter.contact_id is 'the contact that it was released to';
comment on column letter.message_id is 'without angle brackets; minted when the letter is created, never changed, removed by the scrub';
comment on column letter.due_at is 'ready: not before; deferred: tried again at';
comment on column letter.first_tried_at is 'tries end five days after it';
comment on column letter.sent_sha256 is 'SHA-256 of the message as it was last handed to SMTP';

create table waiting_letter (
  letter_id    bigint not null,
  campaign_id  integer not null,
  brand_id     integer not null,
  due_at       timestamptz not null,
  deferred     boolean not null default false
);
create unique index waiting_letter_ready on waiting_letter (campaign_id, brand_id, due_at, letter_id) where not deferred;
create unique index waiting_letter_deferred on waiting_letter (due_at, letter_id) where deferred;
comment on table waiting_letter is 'every letter that is ready or deferred, with the same due_at, in the order in which it falls due';

create table bundle (
  id           bigint generated always as identity primary key,
  campaign_id  integer not null references campaign,
  brand_id     integer not null references brand,
  contact_id   integer not null references contact,
  letter_ids   bigint[] not null,
  released_at  timestamptz not null default now(),
  worker_id    integer
);
comment on table bundle is 'letters to one contact that were released together; the row goes when all of them moved on';
comment on column bundle.worker_id is 'the worker that took it; null: its job is still in the queue, or was lost';

create table event (
  letter_id  bigint not null,
  at         timestamptz not null default clock_timestamp(),
  type       event_type not null,
  code       smallint,
  host       text,
  response   text
);
create index event_of_letter on event (letter_id);
comment on table event is 'append-only: what happened to a letter';
comment on column event.at is 'the clock, not the transaction: events of one letter have an order';
comment on column event.code is 'SMTP reply code (RFC 5321 section 4.2)';
comment on column event.host is 'the server that answered';
comment on column event.response is 'its own words, cut to 500 characters';

create table letter_fingerprint (
  campaign_id  integer not null,
  fingerprint  bytea not null,
  primary key (campaign_id, fingerprint)
);
comment on table letter_fingerprint is 'HMAC of address and brand under the campaign''s key: one letter per address and brand';

create table notice (
  id           bigint generated always as identity primary key,
  advocate_id  bigint not null references advocate on delete cascade,
  kind         notice_kind not null,
  state        notice_state not null default 'waiting',
  tries        smallint not null default 0,
  state_at     timestamptz not null default now(),
  due_at       timestamptz not null default now()
);
create index notice_waiting on notice (due_at) where state = 'waiting';
create index notice_sending on notice (state_at) where state = 'sending';
create index notice_of_advocate on notice (advocate_id);

create table confirmation_cap (
  address_fingerprint  bytea primary key,
  asked_at             timestamptz[] not null
);
comment on table confirmation_cap is 'when confirmation notices were asked for, per keyed hash of the address; rows live for a day';

create table worker (
  id          integer generated always as identity primary key,
  started_at  timestamptz not null default now(),
  beat_at     timestamptz not null default now()
);
comment on table worker is 'which sending processes are alive: letters of a silent one become unknown';

create function guard_deletion() returns trigger language plpgsql as $$
begin
  raise exception 'a % is kept, because letters refer to it', tg_table_name using errcode = 'foreign_key_violation';
end $$;
create trigger contacts_are_kept before delete on contact for each row execute function guard_deletion();

-- The life of a letter, guarded by the database as well: the same moves stand in src/letters/letter.ts. A move
-- that is not listed fails. The condition of a trigger is parsed anew for every statement, a function's body once
-- per connection: so the condition is one short call (docs/decisions/0002).
create function letter_may_move(was letter_state, becomes letter_state) returns boolean
language plpgsql immutable as $$
begin
  return was = becomes or strpos(
    ' draft>ready draft>held draft>expired draft>cancelled held>ready held>cancelled'
    ' ready>queued ready>cancelled queued>ready queued>sending queued>cancelled'
    ' sending>accepted sending>rejected sending>deferred sending>unknown'
    ' deferred>ready deferred>abandoned deferred>cancelled'
    ' unknown>accepted unknown>rejected unknown>deferred unknown>ready'
    ' accepted>delivered accepted>bounced delivered>bounced ',
    ' ' || was::text || '>' || becomes::text || ' ') > 0;
end $$;

create function refuse_letter_move() returns trigger language plpgsql as $$
begin
  raise exception 'a letter may not move from % to %', old.state, new.state using errcode = 'check_violation';
end $$;

create trigger letter_moves_as_designed after update of state on letter
  for each row when (not letter_may_move(old.state, new.state))
  execute function refuse_letter_move();

-- Events are evidence: they are appended, never changed. Only the scrub, which says so in its own
-- transaction, may remove them when a person's time is over.
create function guard_events() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and current_setting('outspoken.scrub', true) = 'on' then
    return old;
  end if;
  raise exception 'events are append-only: % is refused', lower(tg_op) using errcode = 'insufficient_privilege';
end $$;

create trigger events_are_append_only before update or delete on event
  for each row execute function guard_events();
create trigger events_are_not_truncated before truncate on event
  for each statement execute function guard_events();

create function guard_wording() returns trigger language plpgsql as $$
begin
  raise exception 'a wording is immutable: add a new version' using errcode = 'insufficient_privilege';
end $$;

create trigger wordings_are_immutable before update or delete on wording
  for each row execute function guard_wording();
