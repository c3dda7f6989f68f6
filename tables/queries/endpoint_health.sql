-- name: endpoint_health
select endpoint_id, failing_since, last_failure_at, attempts, warned, "offset"
from webhook_endpoint_health where endpoint_id = any($1::text[])
order by endpoint_id
for update

-- name: store_endpoint_health
insert into webhook_endpoint_health as h
    (endpoint_id, failing_since, last_failure_at, attempts, warned, "offset")
select * from unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::int[], $5::int[],
    $6::bigint[])
on conflict (endpoint_id) do update set
    failing_since = excluded.failing_since, last_failure_at = excluded.last_failure_at,
    attempts = excluded.attempts, warned = excluded.warned, "offset" = excluded."offset"
where h."offset" < excluded."offset"

-- name: forgive_endpoint
update webhook_endpoint_health set attempts = 0, warned = 0 where endpoint_id = $1

-- name: note_exhausted
-- Only of deliveries that failed for good: an attempt that a person asked for may have arrived.
insert into webhook_events (event_id, type, merchant_id, mode, endpoint_id, payload, created_at)
select distinct on (n.event_id) n.event_id, n.type, n.merchant_id, n.mode, n.endpoint_id,
    n.payload, n.created_at
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[],
    $7::timestamptz[], $8::text[])
    as n(event_id, type, merchant_id, mode, endpoint_id, payload, created_at, delivery_id)
where exists (
    select 1 from webhook_deliveries d where d.id = n.delivery_id and d.status = 'failed'
)
order by n.event_id, n.created_at
on conflict (event_id) do nothing
returning event_id
