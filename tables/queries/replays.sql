-- name: replay_take
-- The replay whose page is most overdue, for $1 seconds; nobody else's. Another one may take it
-- afterwards, and then nothing is written under the token of before.
update webhook_replays set token = gen_random_uuid(), due_at = now() + make_interval(secs => $1)
where id = (
    select id from webhook_replays
    where status in ('counting', 'sending') and due_at <= now()
    order by due_at limit 1 for update skip locked
)
returning id, merchant_id, mode, endpoint_id, which, types, from_at, to_at, rate_per_s, dry_run,
    status, begins, reached, token, last_page_at,
    extract(epoch from now() - coalesce(last_page_at, created_at))::float8 as idle_s

-- name: replay_begin
update webhook_replays set begins = $3, reached = $3 where id = $1 and token = $2 returning id

-- name: replay_put_off
update webhook_replays set due_at = now() + make_interval(secs => $3) where id = $1 and token = $2

-- name: replay_stop
update webhook_replays set status = $3, reason = $4,
    ended_at = case when $3 = 'canceled' then now() end
where id = $1 and token = $2 and status in ('counting', 'sending')

-- name: replay_counted
-- A page was counted: $3 events, up to $4; $5 is whether it was the last one.
update webhook_replays set found = found + $3, due_at = now(),
    reached = case when $5 then begins else $4 end,
    counted_at = case when $5 then now() end,
    ended_at = case when $5 and dry_run then coalesce(ended_at, now()) else ended_at end,
    status = case when status = 'canceled' or not $5 then status
        when dry_run then 'completed'
        when status = 'counting' then 'sending'
        else status end
where id = $1 and token = $2 and counted_at is null
returning id

-- name: replay_want
-- The page's deliveries, and when they were first wanted, which a repeat does not change. No row:
-- another worker has the replay, or it is over.
with page as (
    update webhook_replays set page_at = coalesce(page_at, date_trunc('milliseconds', now()))
    where id = $1 and token = $2 and status in ('sending', 'paused')
    returning id, endpoint_id, merchant_id, mode, page_at
), wanted as (
    insert into webhook_deliveries (id, event_id, payment_id, type, endpoint_id, merchant_id, mode,
        replay_id, created_at)
    select w.id, w.event_id, w.payment_id, w.type, page.endpoint_id, page.merchant_id, page.mode,
        page.id, page.page_at
    from unnest($3::text[], $4::text[], $5::text[], $6::text[])
        as w(id, event_id, payment_id, type) cross join page
    on conflict do nothing
    returning id
)
select page_at, array(select id from wanted) as fresh from page

-- name: replay_sent
-- The page is on the log: $3 events, up to $4; $5 is whether it was the last one, and $6 in how
-- many seconds the next is due. A pause that came meanwhile stands; an end does in any case.
update webhook_replays set sent = sent + $3, reached = $4,
    last_page_at = coalesce(page_at, last_page_at), page_at = null,
    due_at = now() + make_interval(secs => $6),
    ended_at = case when $5 then coalesce(ended_at, now()) else ended_at end,
    status = case when $5 and status <> 'canceled' then 'completed' else status end
where id = $1 and token = $2
returning id

-- name: replay_untried
-- How many deliveries of the replay's page of $2 have had no attempt yet.
select count(*) from webhook_deliveries
where replay_id = $1 and created_at = $2 and attempts = 0
    and status in ('pending', 'held', 'parked')

-- name: replay_failed_page
-- Failed deliveries to the endpoint behind a place, and whether each stands for its event: no other
-- one has arrived or may still arrive, and none failed before it. What this replay sends itself
-- does not count: its page may be read again.
with page as materialized (
    select created_at, id, event_id, payment_id, type from webhook_deliveries
    where endpoint_id = $1 and status = 'failed' and created_at >= $2 and created_at < $3
        and (created_at, id) > ($4, $5)
        and ($6::text[] is null or type like any($6))
        and replay_id is distinct from $7
    order by created_at, id limit $8
)
select page.*, f.payload, f.payload is not null and not exists (
        select from webhook_deliveries o
        where o.event_id = page.event_id and o.endpoint_id = $1 and o.id <> page.id
            and o.replay_id is distinct from $7
            and (o.status not in ('failed', 'canceled') or o.status = 'failed'
                and (o.created_at, o.id) < (page.created_at, page.id))
    ) as stands
from page left join event_bodies f using (event_id)
order by page.created_at, page.id

-- name: replay_known
-- Which of these events the endpoint has a delivery of, but for those of this replay.
select distinct event_id from webhook_deliveries
where event_id = any($1::text[]) and endpoint_id = $2 and replay_id is distinct from $3

-- name: create_replay
insert into webhook_replays (id, merchant_id, mode, endpoint_id, which, types, from_at, to_at,
    rate_per_s, dry_run, request)
values ($1, $2, $3, $4, $5, $6, $7, least($8, now()), $9, $10, $11)

-- name: lock_replays_of
select id from merchants where id = $1 for no key update

-- name: replays_unfinished
select count(*) from webhook_replays
where merchant_id = $1 and mode = $2 and status in ('counting', 'sending', 'paused')

-- name: pause_replay
update webhook_replays set status = 'paused', reason = 'merchant'
where id = $1 and status in ('counting', 'sending') returning id

-- name: resume_replay
-- A page that is under way at another worker keeps its time: due_at stays.
update webhook_replays set reason = null,
    status = case when counted_at is null then 'counting' else 'sending' end
where id = $1 and status = 'paused' returning id

-- name: cancel_replay
update webhook_replays set status = 'canceled', reason = 'merchant', ended_at = now()
where id = $1 and status in ('counting', 'sending', 'paused') returning id

-- name: replays_page
select r.id, to_jsonb(r)::text as shown from (
    select w.id, w.merchant_id, w.mode, w.endpoint_id, w.which, w.types, w.from_at, w.to_at,
        w.rate_per_s, w.dry_run, w.request, w.status, w.reason, w.found, w.sent, w.created_at,
        w.counted_at, w.ended_at, d.delivered, d.failed
    from webhook_replays w cross join lateral (
        select count(*) filter (where status = 'success') as delivered,
            count(*) filter (where status in ('failed', 'canceled')) as failed
        from webhook_deliveries where replay_id = w.id
    ) d
    where w.merchant_id = $1 and w.mode = $2
) r
where {where}
order by created_at {way}, id {way} limit $3

-- name: replay_place
select created_at, id from webhook_replays where id = $1 and merchant_id = $2 and mode = $3
