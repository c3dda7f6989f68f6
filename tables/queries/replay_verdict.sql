-- What a replay's verdict asks (headgate/replay). How things stand is counted for one merchant, by
-- its indexes; everything else is read for a page of payments at a time.

-- name: verdict_payments
-- How a merchant's payments stand since $3, and how many facts they have told.
select state, count(*) as payments, sum((record ->> 'sequence')::bigint)::bigint as facts
from payments where merchant_id = $1 and mode = $2 and created_at >= $3
group by state

-- name: verdict_children
-- Refunds that wait for the time that their merchant set are `deferred`.
select case when state = 'requested' and (snapshot ->> 'submit_at')::timestamptz > now()
        then 'deferred' else state end as state, count(*) as children
from payment_children
where merchant_id = $1 and mode = $2 and created_at >= $3
    and kind in ('capture', 'void', 'refund', 'reversal', 'increment')
group by 1

-- name: verdict_deliveries
-- How an endpoint's deliveries stand.
select status, count(*) as deliveries from webhook_deliveries where endpoint_id = $1 group by status

-- name: verdict_page
-- The next $5 payments of a merchant since $3, oldest first; $4 is the place behind the last one.
select id, state, status, amount, created_at, record::text as record
from payments
where merchant_id = $1 and mode = $2 and (created_at, id) > ($3, $4)
order by created_at, id limit $5

-- name: verdict_facts
select payment_id, sequence, event_id, type, payload
from facts where payment_id = any($1::text[]) order by payment_id, sequence

-- name: verdict_children_of
select id, payment_id, kind, state, amount
from payment_children where payment_id = any($1::text[])

-- name: verdict_operations
-- Commands that changed something, with the facts that they told and what they asked for later.
select payment_id, command_id, type, key_id, first_sequence, last_sequence,
    case when requests @> '[{"request": {"type": "inquire"}}]' then requests::text end as inquiries
from operations where payment_id = any($1::text[]) and refusal is null
order by payment_id, "offset"

-- name: verdict_deliveries_of
-- Deliveries to one endpoint about these payments; those of replays are not among them.
select id, payment_id, event_id, status, attempts, response_code, response_body, created_at
from webhook_deliveries
where payment_id = any($1::text[]) and endpoint_id = $2 and replay_id is null

-- name: verdict_attempts_of
-- Attempts by the schedule, in the order of their numbers; those that a person asked for are not
-- part of it. $2 are the times of the deliveries, which name their weeks. Each delivery's are looked
-- up by themselves: joined, all weeks would be read whole. No schedule has as many as the limit.
select a.delivery_id, a.attempt, a.started_at, a.next_at
from unnest($1::text[], $2::timestamptz[]) as w(delivery_id, created_at)
cross join lateral (
    select delivery_id, attempt, started_at, next_at from webhook_attempts
    where delivery_id = w.delivery_id and delivery_created_at = w.created_at and not manual
    order by attempt, started_at limit 100
) a
order by a.delivery_id, a.attempt, a.started_at

-- name: verdict_other_webhooks
-- What an endpoint was sent that is about no payment: events about endpoints.
select d.event_id, e.payload
from webhook_deliveries d join webhook_events e on e.event_id = d.event_id
where d.endpoint_id = $1 and d.payment_id is null
order by d.created_at desc limit $2

-- name: verdict_in_doubt
-- When the bank is asked next, of every payment that is in doubt or has something in doubt.
with doubtful as (
    select id from payments
    where merchant_id = $1 and mode = $2 and created_at >= $3 and state = 'in_doubt'
    union
    select payment_id from payment_children
    where merchant_id = $1 and mode = $2 and created_at >= $3 and state = 'in_doubt'
        and kind in ('capture', 'void', 'refund', 'reversal', 'increment')
)
select d.id, max((asked.one ->> 'not_before_ms')::bigint) as asks_again_ms
from doubtful d
left join operations o
    on o.payment_id = d.id and o.requests @> '[{"request": {"type": "inquire"}}]'
left join lateral jsonb_array_elements(o.requests) asked(one)
    on asked.one #>> '{request,type}' = 'inquire'
group by d.id

-- name: verdict_stands
-- How much the stores hold about these payments: what a replay with the same ids must not change.
select count(*) as payments, coalesce(sum(version), 0)::bigint as versions,
    (select count(*) from facts where payment_id = any($1::text[])) as facts,
    (select count(*) from operations where payment_id = any($1::text[])) as operations,
    (select count(*) from payment_children where payment_id = any($1::text[])) as children,
    (select count(*) from webhook_deliveries where payment_id = any($1::text[])) as deliveries,
    (select coalesce(sum(attempts), 0)::bigint from webhook_deliveries
        where payment_id = any($1::text[])) as attempts
from payments where id = any($1::text[])

-- name: verdict_key_owner
select merchant_id, mode from api_keys where id = $1

-- name: commands_decided
-- How many of these commands settle has decided; it decides each once.
select count(*) as decided from operations where command_id = any($1::text[])
