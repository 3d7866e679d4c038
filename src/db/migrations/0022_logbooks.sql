-- Up Migration

-- A worker claims up to a hundred letters at a time, and writes into a file of its data folder which of them have left. So a
-- letter that was claimed can turn out not to have left, and waits again.
alter table bundle add column logbook uuid;
comment on column bundle.logbook is 'under which name the worker that took it writes down which of its letters have left; null: nobody took it, or a worker of an older version did';

create or replace function letter_may_move(was letter_state, becomes letter_state) returns boolean
language plpgsql immutable as $$
begin
  return was = becomes or case was
    when 'draft' then becomes in ('ready', 'held', 'expired', 'cancelled')
    when 'held' then becomes in ('ready', 'cancelled')
    when 'ready' then becomes in ('queued', 'cancelled', 'unknown')
    when 'queued' then becomes in ('ready', 'sending', 'cancelled')
    when 'sending' then becomes in ('accepted', 'rejected', 'deferred', 'unknown', 'ready')
    when 'deferred' then becomes in ('ready', 'abandoned', 'cancelled', 'unknown')
    when 'unknown' then becomes in ('accepted', 'rejected', 'deferred', 'ready')
    when 'accepted' then becomes in ('delivered', 'bounced')
    when 'delivered' then becomes = 'bounced'
    else false
  end;
end $$;
