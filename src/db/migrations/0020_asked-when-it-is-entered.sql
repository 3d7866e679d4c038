-- Up Migration

-- A check that is not valid for what was there before is asked all the same at each change of such a row, whatever
-- changes. A contact from before could not be noted as served, and the release of all letters stopped at it; a campaign
-- from before could be neither paused nor closed. So what staff enter is asked about when they enter it, and only then.
alter table contact drop constraint an_email_address_can_be_written_to;
alter table brand drop constraint a_name_can_stand_in_a_header;
alter table campaign drop constraint a_mail_domain_is_one_in_lower_case;

create function refuse_entry() returns trigger language plpgsql as $$
begin
  raise exception 'the row for % breaks the rule %', tg_table_name, tg_name
    using errcode = 'check_violation', table = tg_table_name, constraint = tg_name;
end $$;
create trigger an_email_address_can_be_written_to before insert or update of kind, address on contact
  for each row
  when (new.kind = 'email' and new.address !~ '^[!#$%&''*+/=?^_`{|}~0-9A-Za-z.-]{1,64}@([0-9A-Za-z]([0-9A-Za-z-]{0,61}[0-9A-Za-z])?\.)+[0-9A-Za-z-]{2,63}$')
  execute function refuse_entry();
create trigger a_name_can_stand_in_a_header before insert or update of name on brand
  for each row
  when (new.name ~ '[\u0001-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]')
  execute function refuse_entry();
create trigger a_mail_domain_is_one_in_lower_case before insert or update of mail_domain on campaign
  for each row
  when (length(new.mail_domain) > 190 or new.mail_domain !~ '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$')
  execute function refuse_entry();
