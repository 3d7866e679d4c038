-- Up Migration

-- A mailbox behind the one that a letter went to could not be reached; others may have it (docs/decisions/0013).
alter type event_type add value 'failed_behind';
