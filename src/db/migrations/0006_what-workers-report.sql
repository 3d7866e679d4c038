-- Up Migration

-- A letter belongs to one bundle at a time, and says to which: a bundle that is still open must not touch a letter
-- that it once held, and that fell due again meanwhile (docs/decisions/0015).
alter table letter add column bundle_id bigint;
comment on column letter.bundle_id is 'the bundle in which it was last released: only that one may send it, record it or put it back';
update letter set bundle_id = bundle.id from bundle where letter.id = any (letter_ids);

-- What workers say of themselves, for /readyz.
alter table worker
  add column progress_at    timestamptz not null default now(),
  add column in_the_air     integer not null default 0,
  add column queue_lost_at  timestamptz;
comment on column worker.beat_at is 'when it last said that it is alive: every two seconds';
comment on column worker.progress_at is 'when a mail server last answered it, or it last had nothing to wait for';
comment on column worker.in_the_air is 'letters that are with a mail server and were not answered yet';
comment on column worker.queue_lost_at is 'since when it cannot reach the queue; null: it can';

-- Whether letters can be stored is asked by storing something.
create table storage_check (
  one   boolean primary key default true check (one),
  at    timestamptz not null
);
comment on table storage_check is 'one row, written when somebody asks /readyz: a database that answers may still be full or read-only';
