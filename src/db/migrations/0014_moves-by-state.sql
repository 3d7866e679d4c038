-- Up Migration

-- The same moves, compared as states and not as text: every move of every letter asks.
create or replace function letter_may_move(was letter_state, becomes letter_state) returns boolean
language plpgsql immutable as $$
begin
  return was = becomes or case was
    when 'draft' then becomes in ('ready', 'held', 'expired', 'cancelled')
    when 'held' then becomes in ('ready', 'cancelled')
    when 'ready' then becomes in ('queued', 'cancelled', 'unknown')
    when 'queued' then becomes in ('ready', 'sending', 'cancelled')
    when 'sending' then becomes in ('accepted', 'rejected', 'deferred', 'unknown')
    when 'deferred' then becomes in ('ready', 'abandoned', 'cancelled', 'unknown')
    when 'unknown' then becomes in ('accepted', 'rejected', 'deferred', 'ready')
    when 'accepted' then becomes in ('delivered', 'bounced')
    when 'delivered' then becomes = 'bounced'
    else false
  end;
end $$;
