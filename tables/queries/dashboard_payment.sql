-- One payment as the dashboard shows it. $1 is the merchant whose rows are seen, null for all; $2
-- the mode, $3 the payment.

-- name: dashboard_payment
select p.id, p.merchant_id, m.name as merchant, p.mode, p.state, p.record::text as record,
    p.amount, p.currency, p.order_id, p.created_at
from payments p left join merchants m on m.id = p.merchant_id
where ($1::text is null or p.merchant_id = $1) and p.mode = $2 and p.id = $3

-- name: dashboard_payment_story
-- Its newest $4 facts and commands without any, in the order of the log.
select o.command_id, o.type as command, o.partition, o."offset", o.actor, o.request_id, o.refusal,
    o.result, o.requests::text as requests, o.created_at, f.sequence, f.event_id, f.type, f.payload
from operations o left join facts f
    on f.payment_id = o.payment_id and f.sequence between o.first_sequence and o.last_sequence
where ($1::text is null or o.merchant_id = $1) and o.mode = $2 and o.payment_id = $3
order by o."offset" desc, f.sequence desc limit $4

-- name: dashboard_payment_answers
-- What the bank answered to the attempts $4, by the command that told it.
select a.answer ->> 'command_id' as command_id, a.answer ->> 'outcome' as outcome,
    a.answer ->> 'decline_code' as decline_code
from acquirer_attempts a join payments p on p.id = a.payment_id
where ($1::text is null or p.merchant_id = $1) and p.mode = $2 and p.id = $3
    and a.attempt_id = any($4::text[]) and a.answer is not null

-- name: dashboard_payment_attempts
-- The newest $4 webhook attempts about it.
select a.delivery_id, a.attempt, a.manual, a.kind, a.status_code, a.error, a.started_at,
    a.duration_ms
from webhook_deliveries d join webhook_attempts a
    on a.delivery_id = d.id and a.delivery_created_at = d.created_at
where ($1::text is null or d.merchant_id = $1) and d.mode = $2 and d.payment_id = $3
order by a.started_at desc limit $4

-- name: dashboard_payment_children
select c.id, c.kind, c.state, c.amount, c.currency, c.created_at, c.snapshot ->> 'reason' as reason,
    c.snapshot ->> 'cause' as cause
from payment_children c
where ($1::text is null or c.merchant_id = $1) and c.mode = $2 and c.payment_id = $3
order by c.created_at desc, c.id desc
