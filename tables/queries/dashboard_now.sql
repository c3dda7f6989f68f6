-- What the screen Now shows. $1 is the merchant whose rows are seen, null for all; $2 the mode.

-- name: dashboard_pulse
-- What came of the payments and deliveries that were made from $3 to before $4. A payment of two
-- versions was decided twice: created, and the bank's answer; so its last change is that answer.
select p.made, p.succeeded, p.failed, p.p50_ms, p.p99_ms, d.delivered, d.undelivered from (
    select count(*) as made, count(*) filter (where status = 'success') as succeeded,
        count(*) filter (where status = 'failed') as failed,
        percentile_disc(0.5) within group (order by ms) filter (where ms is not null) as p50_ms,
        percentile_disc(0.99) within group (order by ms) filter (where ms is not null) as p99_ms
    from (
        select status, case when version = 2 and status in ('success', 'failed')
            then (extract(epoch from updated_at - created_at) * 1000)::bigint end as ms
        from payments
        where created_at >= $3 and created_at < $4 and mode = $2
            and ($1::text is null or merchant_id = $1)
    ) one
) p, (
    select count(*) filter (where status = 'success') as delivered,
        count(*) filter (where status <> 'success' and attempts > 0) as undelivered
    from webhook_deliveries
    where created_at >= $3 and created_at < $4 and mode = $2
        and ($1::text is null or merchant_id = $1)
) d

-- name: dashboard_oldest_undelivered
select min(oldest.created_at) as at
from merchants m, unnest(array['pending', 'held']) status, lateral (
    select d.created_at from webhook_deliveries d
    where d.merchant_id = m.id and d.mode = $2 and d.status = status
    order by d.created_at limit 1
) oldest
where $1::text is null or m.id = $1

-- name: dashboard_any_payment
select exists (
    select 1 from merchants m, lateral (
        select 1 from payments p where p.merchant_id = m.id and p.mode = $2 limit 1
    ) one where $1::text is null or m.id = $1
) as found

-- name: dashboard_changes
-- What people and machines did in the last 15 minutes, the newest first, at most $3. No index of the
-- audit knows times, so of its rows the newest 10,000 are gone through, not all since the beginning.
(
    select 'a' || id as id, at, action as what, subject, actor as who from audit
    where at > now() - interval '15 minutes' and ($1::text is null or merchant_id = $1)
        and (mode is null or mode = $2) and id > (select max(id) - 10000 from audit)
    order by id desc limit $3
) union all (
    select 'w' || md5(id || incarnation), started_at, 'worker started', id, host from instances
    where $1::text is null and started_at > now() - interval '15 minutes'
    order by started_at desc limit $3
) union all (
    select 'e' || id, disabled_at, 'endpoint disabled', id, disabled_reason from webhook_endpoints
    where disabled_at > now() - interval '15 minutes' and mode = $2 and deleted_at is null
        and ($1::text is null or merchant_id = $1)
    order by disabled_at desc limit $3
) order by 2 desc limit $3
