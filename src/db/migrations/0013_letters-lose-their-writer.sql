-- Up Migration

-- A letter and its writer are stored by one statement, so asking for each letter whether its writer exists found out
-- nothing, at two fifths of that statement's time. What matters is the other end: when a writer goes, no letter keeps
-- their number.
alter table letter drop constraint letter_advocate_id_fkey;
alter table letter add constraint letter_advocate_id_fkey
  foreign key (advocate_id) references advocate not enforced;

create function orphan_letters() returns trigger language plpgsql as $$
begin
  update letter set advocate_id = null where advocate_id = old.id;
  return null;
end $$;
create trigger letters_lose_their_writer after delete on advocate
  for each row execute function orphan_letters();
