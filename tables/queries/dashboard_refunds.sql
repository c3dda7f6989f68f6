-- The screens Refunds and In doubt. `{whose}` is a merchant's condition on $1, or none for
-- operators; $2 is the mode.

-- name: dashboard_refunds
-- $1 is the merchant whose refunds are seen, null for operators. Looks at $4 refunds at most.
select c.id, c.payment_id, c.merchant_id, c.state, c.amount, c.currency, c.created_at,
    c.snapshot ->> 'reason' as reason,
    (select m.name from merchants m where m.id = c.merchant_id) as merchant
from (
    select * from payment_children where {whose} and mode = $2 and kind = 'refund' and {after}
    order by created_at desc, id desc limit $4
) c
where {where}
order by c.created_at desc, c.id desc limit $3

-- name: dashboard_refund_place
select created_at, id from payment_children
where id = $3 and ($1::text is null or merchant_id = $1) and mode = $2

-- name: dashboard_in_doubt
-- $1 is the merchant whose payments are seen, null for operators. The oldest $3 of each kind.
select * from (
    select id, id as payment_id, merchant_id, mode, 'payment' as kind, state, amount, currency,
        created_at
    from payments where {whose} and mode = $2 and state = 'in_doubt'
    order by created_at limit $3
) p union all select * from (
    select id, payment_id, merchant_id, mode, kind, state, amount, currency, created_at
    from payment_children
    where {whose} and mode = $2 and state in ('in_doubt', 'needs_review')
    order by created_at limit $3
) c
order by created_at

-- name: dashboard_to_inquire
-- The picked payments, captures and the like. Whether a bank can be asked, settle decides.
select id, id as payment_id, merchant_id, mode, 'payment' as kind, state, amount, currency
from payments
where ($1::text is null or merchant_id = $1) and mode = $2 and id = any($3::text[])
union all
select id, payment_id, merchant_id, mode, kind, state, amount, currency
from payment_children
where ($1::text is null or merchant_id = $1) and mode = $2 and id = any($3::text[])

-- name: dashboard_to_resolve
select id, payment_id, merchant_id, mode from payment_children
where ($1::text is null or merchant_id = $1) and mode = $2 and id = any($3::text[])
