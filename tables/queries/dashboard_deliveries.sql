-- What the screen Deliveries shows. $1 is the merchant whose rows are seen, null for all; $2 the
-- mode. `{where}` holds clauses of the code that an index serves, `{also}` those that none does,
-- which are looked for among the newest $4 of each merchant.

-- name: dashboard_deliveries
select d.id, d.merchant_id, d.mode, d.endpoint_id, d.event_id, d.type, d.status, d.attempts,
    d.last_attempt_at, d.next_retry_at, d.response_code, d.created_at, e.url, e.schedule,
    e.waits_ms, made.last_try, made.duration_ms, made.waits_since
from (
    select d.* from merchants m cross join lateral (
        select * from (
            select * from webhook_deliveries
            where merchant_id = m.id and mode = $2 and {where}
            order by created_at desc, id desc limit $4
        ) newest where {also}
        order by created_at desc, id desc limit $3
    ) d
    where $1::text is null or m.id = $1
    order by d.created_at desc, d.id desc limit $3
) d
left join webhook_endpoints e on e.id = d.endpoint_id
cross join lateral (
    select max(a.attempt) filter (where not a.manual) as last_try,
        (array_agg(a.duration_ms order by a.started_at desc))[1] as duration_ms,
        max(a.started_at + a.duration_ms * interval '1 ms')
            filter (where a.next_at = d.next_retry_at) as waits_since
    from webhook_attempts a
    where a.delivery_id = d.id and a.delivery_created_at = d.created_at
) made
order by d.created_at desc, d.id desc

-- name: dashboard_delivery
select d.id, d.merchant_id, d.mode, d.endpoint_id, d.event_id, d.type, d.payment_id, d.replay_id,
    d.status, d.attempts, d.last_attempt_at, d.next_retry_at, d.response_code, d.created_at,
    e.url, e.schedule, e.waits_ms, b.payload, h.why as held_why, h.held_since, made.last_try,
    made.duration_ms, made.waits_since
from webhook_deliveries d
cross join lateral (
    select max(a.attempt) filter (where not a.manual) as last_try,
        (array_agg(a.duration_ms order by a.started_at desc))[1] as duration_ms,
        max(a.started_at + a.duration_ms * interval '1 ms')
            filter (where a.next_at = d.next_retry_at) as waits_since
    from webhook_attempts a
    where a.delivery_id = d.id and a.delivery_created_at = d.created_at
) made
left join webhook_endpoints e on e.id = d.endpoint_id
left join event_bodies b using (event_id)
left join held_deliveries h on h.delivery_id = d.id and h.chain = ''
where d.id = $3 and ($1::text is null or d.merchant_id = $1) and d.mode = $2

-- name: dashboard_attempts
-- The newest attempts of a delivery.
select token, attempt, manual, kind, status_code, error, answer, request_headers::text,
    answer_headers::text, connect_ms, first_byte_ms, started_at, duration_ms, next_at
from webhook_attempts where delivery_id = $1 and delivery_created_at = $2
order by started_at desc, token desc limit $3

-- name: dashboard_delivery_place
-- Where a page goes on: behind this delivery.
select created_at, id from webhook_deliveries
where id = $3 and ($1::text is null or merchant_id = $1) and mode = $2
