-- Up Migration

-- A letter's page, its bundle and its sending find the brand's place in the campaign by this row. Without it the letter
-- would still be there, wait for ever, and be shown to nobody.
create function guard_brand_of_letters() returns trigger language plpgsql as $$
begin
  if exists (select from letter where campaign_id = old.campaign_id and brand_id = old.brand_id) then
    raise exception 'a brand stays in its campaign, because letters to it refer to that' using errcode = 'foreign_key_violation';
  end if;
  return case when tg_op = 'DELETE' then old else new end;
end $$;
create trigger brands_of_letters_stay before delete or update of campaign_id, brand_id on campaign_brand
  for each row execute function guard_brand_of_letters();
