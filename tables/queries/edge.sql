-- name: edge_decisions
-- What became of commands; with creates the payment as it is now, from which their answer is made.
select o.command_id, o.merchant_id, o.mode, o.type, o.payment_id, o.fingerprint, o.refusal,
    o.partition, o."offset", o.request_id, o.result, o.key_id, o.created_at,
    case when o.result is null then p.record::text end as record
from operations o left join payments p on p.id = o.payment_id
where o.command_id = any($1::text[])

-- name: edge_uses_of_key
-- Every command under these keys; a create's key is its payment's id.
select o.command_id, o.merchant_id, o.mode, o.type, o.payment_id, o.fingerprint, o.refusal,
    o.partition, o."offset", o.request_id, o.result, k.key_id, o.created_at,
    case when o.result is null then p.record::text end as record
from unnest($1::text[]) as k(key_id)
join lateral (
    select * from operations where key_id = k.key_id
    union all
    select * from operations where payment_id = k.key_id and type = 'payment.create'
) o on true
left join payments p on p.id = o.payment_id
order by o.created_at

-- name: edge_owners
select id, merchant_id, mode from payments where id = any($1::text[])

-- name: edge_refund_place
select payment_id from payment_children
where id = $1 and merchant_id = $2 and mode = $3 and kind = 'refund'

-- name: edge_adopt_redis
-- $2 is since when this Redis data exists: it vouches only if no payment is older (08 R13).
update configuration set redis_token = $1, version = version + 1
where redis_token is null and not exists (select 1 from operations where created_at < $2)
returning version

-- name: edge_default_endpoint
select id, url, sealed_secret, event_types, enabled, verified_at from webhook_endpoints
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
