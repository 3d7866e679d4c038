-- Up Migration

-- A contact is entered by hand. What could never stand in a command or a header is refused there, where somebody can
-- mend it, and not five days later, letter by letter (RFC 5321 section 4.1.2, ASCII only).
alter table contact add constraint an_email_address_can_be_written_to
  check (kind <> 'email' or address ~ '^[!#$%&''*+/=?^_`{|}~0-9A-Za-z.-]{1,64}@([0-9A-Za-z]([0-9A-Za-z-]{0,61}[0-9A-Za-z])?\.)+[0-9A-Za-z-]{2,63}$')
  not valid;
