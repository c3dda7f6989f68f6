-- Deliveries and attempts as the API reads them. scheduled_at is when the scheduled attempt that the
-- next one follows was over: since then it waits.

-- name: webhook_deliveries_page
select id, (to_jsonb(d) || jsonb_build_object('scheduled_at', (
    select max(a.started_at + a.duration_ms * interval '1 ms') from webhook_attempts a
    where a.delivery_id = d.id and a.delivery_created_at = d.created_at
        and a.next_at = d.next_retry_at)))::text as shown
from webhook_deliveries d
where merchant_id = $1 and mode = $2 and {where}
order by created_at {way}, id {way} limit $3

-- name: webhook_delivery_place
select created_at, id from webhook_deliveries where id = $1 and merchant_id = $2 and mode = $3

-- name: webhook_delivery
select (to_jsonb(d) || jsonb_build_object('scheduled_at', (
    select max(a.started_at + a.duration_ms * interval '1 ms') from webhook_attempts a
    where a.delivery_id = d.id and a.delivery_created_at = d.created_at
        and a.next_at = d.next_retry_at)))::text as shown
from webhook_deliveries d where id = $1 and merchant_id = $2 and mode = $3

-- name: webhook_attempts_of
-- The last attempts of a delivery, newest first.
select to_jsonb(a)::text as shown from webhook_attempts a
where a.delivery_id = $1 and a.delivery_created_at = $2
order by a.started_at desc, a.token desc limit $3

-- name: webhook_attempts_page
select id, shown from (
    select a.token as id, a.started_at as created_at, a.delivery_id, a.delivery_created_at,
        d.merchant_id, d.mode, to_jsonb(a)::text as shown
    from webhook_attempts a join webhook_deliveries d
        on d.id = a.delivery_id and d.created_at = a.delivery_created_at
) a
where merchant_id = $1 and mode = $2 and {where}
order by created_at {way}, id {way} limit $3

-- name: webhook_attempt_place
select a.started_at as created_at, a.token as id
from webhook_attempts a join webhook_deliveries d
    on d.id = a.delivery_id and d.created_at = a.delivery_created_at
where a.token = $1 and a.delivery_id = split_part($1, '.', 1)
    and d.merchant_id = $2 and d.mode = $3
