-- What the screen Payments shows. Clauses in braces are the code's: whose payments, behind which
-- one, and which search. A search looks at so many payments at most: without an index for it, it
-- would read all that there ever were.

-- name: dashboard_payments
-- $1 is the merchant whose payments are seen, null for operators.
select id, merchant_id, (select m.name from merchants m where m.id = p.merchant_id) as merchant,
    mode, amount, currency, status, state, method, order_id, customer_id, created_at,
    coalesce((record ->> 'amount_refunded')::bigint, 0) as amount_refunded
from (
    select * from payments where {whose} and mode = $2 and {after}
    order by created_at desc, id desc limit $4
) p
where {where}
order by created_at desc, id desc limit $3

-- name: dashboard_payments_pinned
-- $1 is the merchant whose payments are seen, null for operators.
-- A search that an index answers, by id, order or customer: it looks at everything.
select id, merchant_id, (select m.name from merchants m where m.id = p.merchant_id) as merchant,
    mode, amount, currency, status, state, method, order_id, customer_id, created_at,
    coalesce((record ->> 'amount_refunded')::bigint, 0) as amount_refunded
from payments p
where {whose} and mode = $2 and {after} and {where} and $4::int is not null
order by created_at desc, id desc limit $3

-- name: dashboard_payments_last
-- $1 is the merchant whose payments are seen, null for operators.
-- The last payment that a search looked at, null when it looked at all that there are.
select id from payments where {whose} and mode = $2 and {after}
order by created_at desc, id desc limit 1 offset $3

-- name: dashboard_payment_place
select created_at, id from payments
where id = $3 and ($1::text is null or merchant_id = $1) and mode = $2

-- name: dashboard_searches
select name, query from saved_searches where person_id = $1 order by name

-- name: dashboard_save_search
-- Keeps at most $4 of a person; one with the same name is replaced.
insert into saved_searches (person_id, name, query)
select $1, $2, $3 where (
    select count(*) from saved_searches where person_id = $1 and name <> $2) < $4
on conflict (person_id, name) do update set query = excluded.query
returning name

-- name: dashboard_forget_search
delete from saved_searches where person_id = $1 and name = $2 returning name
