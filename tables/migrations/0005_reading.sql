-- What lists are filtered by. A payment's customer never changes, so its index keeps updates of
-- the row as cheap as they are; payments without a customer are not in it, and those of one
-- customer are few enough to be sorted.

alter table payments
    add column customer_id text generated always as (record ->> 'customer_id') stored;
create index payments_of_customer on payments (merchant_id, customer_id)
    where customer_id is not null;
create index payments_unsuccessful on payments (merchant_id, mode, status, created_at desc, id desc)
    where status in ('failed', 'canceled');
