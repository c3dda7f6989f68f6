-- name: configuration
select version, redis_token, born_at from configuration

-- name: bump_configuration
update configuration set version = version + 1 returning version

-- name: adopt_redis
update configuration set redis_token = $1, version = version + 1 where redis_token is null

-- name: merchants
select id, name, require_keys, active, checkout_origins from merchants

-- name: merchant_by_email
select id, name from merchants where email = $1

-- name: api_keys
select id, merchant_id, mode, secret_hash, revoked_at is not null as revoked, name, scopes, rate_per_s,
    strict_parameters, (extract(epoch from expires_at) * 1000)::bigint as expires_at_ms, replaced_by
from api_keys

-- name: webhook_endpoints
-- Of deleted ones those that may still have a delivery on its way: the longest schedule, and slack.
select id, merchant_id, mode, is_default, url, sealed_secret, event_types, enabled, older_secrets,
    schedule, waits_ms, sealed_headers, rate_per_s, allowed_per_min, fifo, fifo_blocks,
    sealed_signing_key, deleted_at is not null as deleted
from webhook_endpoints left join live_webhook_secrets on endpoint_id = id
where deleted_at is null or deleted_at > now() - interval '90 days'

-- name: create_merchant
insert into merchants(id, name, email) values($1, $2, $3)

-- name: audit
-- With whose the subject is, by which merchants see what was done to theirs.
insert into audit(actor, action, subject, change, merchant_id, mode)
select $1, $2, $3::text, $4::jsonb, coalesce(s.merchant_id, $4::jsonb ->> 'merchant_id'),
    coalesce(s.mode, $4::jsonb ->> 'mode')
from (select) one left join (
    select id, id as merchant_id, null as mode from merchants
    union all select id, merchant_id, mode from api_keys
    union all select id, merchant_id, mode from webhook_endpoints
    union all select id, merchant_id, mode from webhook_replays
    union all select id, merchant_id, null from people
) s on s.id = $3

-- name: set_default_endpoint
insert into webhook_endpoints as e(id, merchant_id, mode, is_default, url, sealed_secret, event_types)
values($1, $2, $3, true, $4, $5, $6)
on conflict (merchant_id, mode) where is_default
do update set url = excluded.url, sealed_secret = excluded.sealed_secret, updated_at = now()
returning id
