-- Up Migration

-- Mail to a person goes once more when nobody knows whether it arrived, and not again and again for five days: a relay
-- that takes it and never says so would bring the same mail a hundred times.
alter table notice add column unclear smallint not null default 0;
comment on column notice.unclear is 'how often it was handed over, or its sender died, and no answer was recorded';
alter table reply add column unclear smallint not null default 0;
comment on column reply.unclear is 'how often it was handed over, or its sender died, and no answer was recorded';
