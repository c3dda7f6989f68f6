-- What lists are filtered by. A payment's customer never changes, so its index keeps updates of
-- the row as cheap as they are; payments without a customer are not in it.

alter table payments
    add column customer_id text generated always as (record ->> 'customer_id') stored;
create index payments_of_customer on payments (merchant_id, mode, customer_id, created_at desc, id desc)
    where customer_id is not null;
create index payments_unsuccessful on payments (merchant_id, mode, status, created_at desc, id desc)
    where status in ('failed', 'canceled');
