-- What the screen Replay shows. $1 is the merchant whose rows are seen, null for all; $2 the mode.

-- name: dashboard_replays
select r.id, r.merchant_id, r.endpoint_id, e.url, r.which, r.types, r.from_at, r.to_at, r.rate_per_s,
    r.dry_run, r.status, r.reason, r.found, r.sent, r.created_at, r.ended_at, d.delivered, d.failed
from (
    select * from webhook_replays
    where ($1::text is null or merchant_id = $1) and mode = $2
    order by created_at desc, id desc limit $3
) r
left join webhook_endpoints e on e.id = r.endpoint_id
cross join lateral (
    select count(*) filter (where status = 'success') as delivered,
        count(*) filter (where status in ('failed', 'canceled')) as failed
    from webhook_deliveries where replay_id = r.id
) d
order by r.created_at desc, r.id desc

-- name: dashboard_replay
select id, merchant_id, mode from webhook_replays
where ($1::text is null or merchant_id = $1) and mode = $2 and id = $3

-- name: dashboard_replay_endpoints
-- Where a replay may go to: all, or the one with the id $3.
select id, merchant_id, mode, url, enabled from webhook_endpoints
where ($1::text is null or merchant_id = $1) and mode = $2 and deleted_at is null
    and ($3::text is null or id = $3)
order by created_at desc, id desc limit $4
