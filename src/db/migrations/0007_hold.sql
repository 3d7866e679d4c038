-- Up Migration

-- Which instance this database is, and how far it has come: the mark is raised while letters leave, and written down
-- outside the database, too (docs/decisions/0016). A database that is behind it was restored from a backup.
create table instance (
  one           boolean primary key default true check (one),
  id            uuid not null default gen_random_uuid(),
  mark          bigint not null default 0,
  marked_at     timestamptz not null default now(),
  held_since    timestamptz,
  held_because  text check (held_because in ('older', 'restored', 'other database', 'asked')),
  outside       bigint not null default 0,
  constraint a_hold_has_a_reason check ((held_since is null) = (held_because is null))
);
comment on table instance is 'one row: who this database is, how far it has come, and whether sending is on hold';
comment on column instance.mark is 'raised about every second while letters leave; workers keep it in DATA_DIR as well';
comment on column instance.marked_at is 'when it was raised: after a restore, about when the backup was made';
comment on column instance.held_since is 'since when nothing leaves; null: letters leave';
comment on column instance.outside is 'the highest mark that a worker has seen outside of this database while it was on hold';
insert into instance default values;

-- A letter that may have left after the backup was made is unknown, from wherever it waited.
alter type event_type add value 'doubted';
create or replace function letter_may_move(was letter_state, becomes letter_state) returns boolean
language plpgsql immutable as $$
begin
  return was = becomes or strpos(
    ' draft>ready draft>held draft>expired draft>cancelled held>ready held>cancelled'
    ' ready>queued ready>cancelled queued>ready queued>sending queued>cancelled'
    ' sending>accepted sending>rejected sending>deferred sending>unknown'
    ' deferred>ready deferred>abandoned deferred>cancelled ready>unknown deferred>unknown'
    ' unknown>accepted unknown>rejected unknown>deferred unknown>ready'
    ' accepted>delivered accepted>bounced delivered>bounced ',
    ' ' || was::text || '>' || becomes::text || ' ') > 0;
end $$;

alter table worker add column mark_lost_at timestamptz;
comment on column worker.mark_lost_at is 'since when it cannot write its mark into DATA_DIR, and so takes no letters; null: it can';
