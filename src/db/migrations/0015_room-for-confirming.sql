-- Up Migration

-- Each row is updated once, when its person confirms, and is wide. With less room every third update went to another
-- page, and into all six indexes.
alter table advocate set (fillfactor = 50);
