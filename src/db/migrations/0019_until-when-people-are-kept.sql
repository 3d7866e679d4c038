-- Up Migration

-- The clock looked at everybody who was a week old, every ten minutes, and nearly all of them stay for weeks or months.
-- Now it looks at each person when something of theirs may be over, and notes until when that cannot be.
alter table advocate add column kept_until timestamptz not null default now() + interval '7 days';
comment on column advocate.kept_until is 'until when the person is kept at least; then the clock looks at them again';
update advocate set kept_until = created_at + interval '7 days';
create index advocate_to_look_at on advocate (kept_until, id);
drop index advocate_by_age;
