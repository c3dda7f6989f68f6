-- name: edge_decisions
-- What became of commands, with the payment as it is now.
select o.command_id, o.merchant_id, o.type, o.payment_id, o.fingerprint, o.refusal, o.partition,
    o."offset", p.record::text
from operations o left join payments p on p.id = o.payment_id
where o.command_id = any($1::text[])

-- name: edge_adopt_redis
-- $2 is since when this Redis data exists: it vouches only if no payment is older (08 R13).
update configuration set redis_token = $1, version = version + 1
where redis_token is null and not exists (select 1 from operations where created_at < $2)
returning version

-- name: edge_default_endpoint
select id, url, sealed_secret, event_types, enabled from webhook_endpoints
where merchant_id = $1 and mode = $2 and is_default

-- name: edge_drawn_lately
-- Whether this key made us draw the endpoint's secret for this URL at most $4 seconds ago, and the
-- secret is still that one: then its answer may have been lost, and the repeat shows it again.
select from (
    select actor, at, change from audit
    where subject = $1 and action = 'webhook.settings' and change ->> 'secret' <> 'unchanged'
    order by id desc limit 1
) last
where actor = $2 and change ->> 'secret' = 'drawn' and change ->> 'url' = $3
    and at > now() - make_interval(secs => $4)

-- name: edge_payment_counts
select count(*) filter (where status = 'pending') as pending,
    count(*) filter (where status in ('success', 'canceled')) as completed,
    count(*) filter (where status = 'failed') as failed
from payments
