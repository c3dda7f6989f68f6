-- What the screen Payments shows. $1 is the merchant whose rows are seen, null for all.

-- name: dashboard_payments
select id, merchant_id, amount, currency, state, method, order_id, created_at from payments
where ($1::text is null or merchant_id = $1) and mode = $2
order by created_at desc, id desc limit $3
