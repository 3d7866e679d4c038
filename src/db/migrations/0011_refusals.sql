-- Up Migration

alter table contact add column refusals smallint not null default 0;
comment on column contact.refusals is 'letters in a row that a mail server refused at once, none taken between them';
