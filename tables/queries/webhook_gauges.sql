-- name: webhook_gauges
-- $1 is how many rows of one kind are counted at most.
select held, parked, failing, untold, counting, sending, paused, to_replay
from (
    select count(*) filter (where why <> 'disabled') as held,
        count(*) filter (where why = 'disabled') as parked
    from (select why from held_deliveries limit $1) h
) waiting,
(
    select count(*) as failing from webhook_endpoint_health h
    join webhook_endpoints e on e.id = h.endpoint_id and e.enabled
    where h.attempts > 0
) endpoints,
(select count(*) as untold from (select from webhook_events where not told limit $1) e) events,
(
    select count(*) filter (where status = 'counting') as counting,
        count(*) filter (where status = 'sending') as sending,
        count(*) filter (where status = 'paused') as paused,
        coalesce(sum(found - sent) filter (where status <> 'counting'), 0) as to_replay
    from webhook_replays where status in ('counting', 'sending', 'paused') and not dry_run
) replays
