-- What the screen Endpoints shows. $1 is the merchant whose rows are seen, null for all; $2 the
-- mode.

-- name: dashboard_endpoints
-- Those that were not deleted; $3 of them at most, $4 is one of the page before.
select e.id, e.merchant_id, e.mode, e.url, e.event_types, e.description, e.enabled,
    e.disabled_reason, e.disabled_at, e.deleted_at, e.created_at,
    h.failing_since, h.attempts as failures,
    coalesce((select max(at) from webhook_rotations r where r.endpoint_id = e.id), e.created_at)
        as secret_since
from webhook_endpoints e
left join webhook_endpoint_health h on h.endpoint_id = e.id and h.attempts > 0
where ($1::text is null or e.merchant_id = $1) and e.mode = $2 and e.deleted_at is null
    and ($4::text is null
        or (e.created_at, e.id) < (select created_at, id from webhook_endpoints
            where id = $4 and ($1::text is null or merchant_id = $1) and mode = $2))
order by e.created_at desc, e.id desc limit $3

-- name: dashboard_endpoint
-- One, also what is left of a deleted one.
select e.id, e.merchant_id, e.mode, e.url, e.event_types, e.description, e.enabled,
    e.disabled_reason, e.disabled_at, e.deleted_at, e.created_at,
    h.failing_since, h.attempts as failures,
    coalesce((select max(at) from webhook_rotations r where r.endpoint_id = e.id), e.created_at)
        as secret_since
from webhook_endpoints e
left join webhook_endpoint_health h on h.endpoint_id = e.id and h.attempts > 0
where e.id = $3 and ($1::text is null or e.merchant_id = $1) and e.mode = $2

-- name: dashboard_endpoints_lately
-- How it went with these endpoints, each with its partition of webhooks.ready: of the newest $3
-- deliveries of 24 hours, how many were tried and how many have arrived; of the oldest $3 that its
-- lane holds, how many and whether any waits for the breaker.
select asked.id, d.tried, d.arrived, h.held, h.open, h.parked
from unnest($1::text[], $2::int[]) as asked(id, partition)
cross join lateral (
    select count(*) filter (where attempts > 0) as tried,
        count(*) filter (where status = 'success') as arrived
    from (
        select attempts, status from webhook_deliveries
        where endpoint_id = asked.id and created_at > now() - interval '24 hours'
        order by created_at desc limit $3
    ) newest
) d
cross join lateral (
    select count(*) filter (where why <> 'disabled') as held,
        count(*) filter (where why = 'disabled') as parked,
        coalesce(bool_or(why = 'open'), false) as open
    from (
        select why from held_deliveries
        where partition = asked.partition and endpoint_id = asked.id
        order by position limit $3
    ) oldest
) h

-- name: dashboard_replays_of_endpoint
-- The newest replays to an endpoint that this viewer may see.
select id, which, status, reason, found, sent, from_at, to_at, created_at, ended_at
from webhook_replays
where endpoint_id = $3 and ($1::text is null or merchant_id = $1) and mode = $2
order by created_at desc, id desc limit $4
