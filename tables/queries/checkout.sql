-- name: create_checkout_session
-- Whoever repeats a request finds what it made. A new one takes a few with it that were over long
-- ago. The payments of one that is forgotten still follow from its id: nobody is charged twice.
with forgotten as (
    delete from checkout_sessions where id in (
        select id from checkout_sessions where expires_at < now() - make_interval(days => $14)
        order by expires_at limit $15 for update skip locked)
)
insert into checkout_sessions(id, merchant_id, mode, order_id, amount, currency, methods, success_url,
    cancel_url, secret_hash, actor, request, expires_at)
values($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, now() + make_interval(secs => $13))
on conflict (id) do nothing
returning id

-- name: checkout_session
-- $2 and $3 are whose it must be; null is anybody's.
select id, merchant_id, mode, order_id, amount, currency, methods, success_url, cancel_url,
    secret_hash, request, created_at, expires_at, now() as read_at
from checkout_sessions
where id = $1 and ($2::text is null or (merchant_id = $2 and mode = $3))

-- name: checkout_session_of_order
-- The newest one that may still be paid.
select id, merchant_id, mode, order_id, amount, currency, methods, success_url, cancel_url,
    secret_hash, request, created_at, expires_at, now() as read_at
from checkout_sessions
where merchant_id = $1 and mode = $2 and order_id = $3 and expires_at > now()
order by created_at desc limit 1
