-- Up Migration

-- What staff enter by hand and what then stands in headers: refused where somebody can mend it, and not letter by letter
-- for five days. A name with a line break or a hidden mark in it could not be written to; a domain with a capital in it
-- would never be recognised when mail comes back.
alter table brand add constraint a_name_can_stand_in_a_header
  check (name !~ '[\u0001-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]') not valid;
alter table campaign add constraint a_mail_domain_is_one_in_lower_case
  check (length(mail_domain) <= 190 and mail_domain ~ '^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$') not valid;

-- In which bundle a letter left is forgotten with its writer; here of those who are forgotten already.
update letter set bundle_id = null where advocate_id is null and message_id is null and bundle_id is not null;
