-- name: deliveries
select d.id, d.merchant_id, d.type as event, f.payload, d.status, d.attempts, d.last_attempt_at,
    d.next_retry_at, d.response_code, d.response_body, d.created_at
from webhook_deliveries d left join event_bodies f using (event_id)
where d.merchant_id = $1 and d.mode = $2
order by d.created_at desc, d.id desc limit $3 offset $4

-- name: deliveries_count
select count(*) from webhook_deliveries where merchant_id = $1 and mode = $2

-- name: delivery
select d.*, f.payload, (to_jsonb(d) || jsonb_build_object('scheduled_at', null))::text as shown
from webhook_deliveries d join event_bodies f using (event_id)
where d.id = $1 and d.merchant_id = $2 and d.mode = $3
