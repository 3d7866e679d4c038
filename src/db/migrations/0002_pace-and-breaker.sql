-- Up Migration

-- When letters may go to a contact: its pace (0001) and its hours.
alter table contact
  add column sends_from  time,
  add column sends_until time,
  add column time_zone   text not null default 'UTC',
  add column domain      text generated always as (lower(split_part(address, '@', 2))) virtual,
  add constraint hours_have_a_beginning_and_an_end
    check ((sends_from is null) = (sends_until is null) and sends_from <> sends_until);
comment on column contact.sends_from is 'letters leave from this time of the day, on the clocks of time_zone; null: at any time';
comment on column contact.sends_until is 'and before this one; if that is earlier, the hours go past midnight';
comment on column contact.time_zone is 'IANA name, e.g. Europe/Stockholm';
comment on column contact.domain is 'the receiving host that an e-mail address stands for';

create function guard_time_zone() returns trigger language plpgsql as $$
begin
  if not exists (select from pg_timezone_names where name = new.time_zone) then
    raise exception 'there is no time zone %', new.time_zone using errcode = 'check_violation';
  end if;
  return new;
end $$;
create trigger time_zones_exist before insert or update of time_zone on contact
  for each row when (new.time_zone <> 'UTC') execute function guard_time_zone();

create function is_within_hours(moment timestamptz, sends_from time, sends_until time, time_zone text)
returns boolean language sql stable as $$
  select case
    when sends_from is null then true
    when sends_from < sends_until
      then (moment at time zone time_zone)::time >= sends_from and (moment at time zone time_zone)::time < sends_until
    else (moment at time zone time_zone)::time >= sends_from or (moment at time zone time_zone)::time < sends_until
  end
$$;

create table receiver (
  domain    text primary key,
  since     timestamptz not null default now(),
  strikes   smallint not null default 0 check (strikes between 0 and 2),
  backoff   integer check (backoff between 60 and 3600),
  probe_at  timestamptz,
  constraint an_open_breaker_knows_its_next_probe check ((backoff is null) = (probe_at is null))
);
comment on table receiver is 'receiving hosts that put letters off (src/letters/breaker.ts), for all workers; no row: nothing is wrong';
comment on column receiver.domain is 'contact.domain';
comment on column receiver.since is 'when it began';
comment on column receiver.strikes is 'letters in a row that were put off with another reply than 421, while letters still go';
comment on column receiver.backoff is 'seconds between two probes; null: letters still go';
comment on column receiver.probe_at is 'no letter goes before this time, and then one';

alter table bundle add column probes text;
comment on column bundle.probes is 'the receiver that this one letter tries out; null: an ordinary bundle';

comment on column letter.due_at is 'ready: its place in the line; deferred: tried again at';
