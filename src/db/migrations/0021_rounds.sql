-- Up Migration

-- Rounds of release keep a distance, whichever worker makes them: one row says when the last one released something.
create table release_round (
  one boolean primary key default true check (one),
  released_at timestamptz not null default 'epoch',
  gap interval not null default '125 milliseconds',
  more_waited boolean not null default false
);
comment on table release_round is 'when letters were released last, so that workers take turns';
insert into release_round default values;
