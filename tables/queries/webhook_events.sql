-- name: keep_webhook_events
-- The first bytes of an event are its bytes: whoever tells it again gets those.
insert into webhook_events as e (event_id, type, merchant_id, mode, endpoint_id, payload,
    created_at, told)
select distinct on (n.event_id) n.event_id, n.type, n.merchant_id, n.mode, n.endpoint_id, n.payload,
    n.created_at, true
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[],
    $7::timestamptz[])
    as n(event_id, type, merchant_id, mode, endpoint_id, payload, created_at)
order by n.event_id, n.created_at
on conflict (event_id) do update set told = true
returning event_id, payload, created_at

-- name: note_webhook_events
-- Events to be told on the log; one that is noted already stays as it is.
insert into webhook_events (event_id, type, merchant_id, mode, endpoint_id, payload, created_at)
select distinct on (n.event_id) n.*
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[],
    $7::timestamptz[])
    as n(event_id, type, merchant_id, mode, endpoint_id, payload, created_at)
order by n.event_id, n.created_at
on conflict (event_id) do nothing

-- name: webhook_events_to_tell
select event_id, type, merchant_id, mode, endpoint_id, payload, created_at
from webhook_events where not told
order by created_at, event_id limit $1
for update skip locked

-- name: webhook_events_told
update webhook_events set told = true where event_id = any($1::text[])

-- name: forget_webhook_events
-- A few at a time, by index: cleaning up must never be what keeps PostgreSQL busy.
delete from webhook_events where event_id in (
    select event_id from webhook_events where told and created_at < $1
    order by created_at limit $2
)
returning event_id
