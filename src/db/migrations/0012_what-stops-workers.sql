-- Up Migration

-- What else workers say of themselves, for /readyz.
alter table worker
  add column relays_lost_at  timestamptz,
  add column got_on_at       timestamptz not null default now();
comment on column worker.relays_lost_at is 'since when no mail relay takes anything from it; null: one does, or none was tried';
comment on column worker.got_on_at is 'when a statement that releases, claims or records letters last came to its end, or there was none';
