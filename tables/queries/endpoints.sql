-- name: stored_endpoint
-- $2 and $3 are whose it must be; null is anybody's.
select id, merchant_id, mode, is_default, url, description, sealed_secret, event_types, enabled,
    schedule, waits_ms, sealed_headers, rate_per_s, allowed_per_min, fifo, fifo_blocks,
    sealed_signing_key, request, verified_at, verification_error, disabled_at, disabled_reason,
    deleted_at, created_at, updated_at, older_secrets, now() as read_at
from webhook_endpoints left join live_webhook_secrets on endpoint_id = id
where id = $1 and ($2::text is null or (merchant_id = $2 and mode = $3))

-- name: stored_endpoints
-- $4 is an endpoint of the page before.
select id, merchant_id, mode, is_default, url, description, sealed_secret, event_types, enabled,
    schedule, waits_ms, sealed_headers, rate_per_s, allowed_per_min, fifo, fifo_blocks,
    sealed_signing_key, request, verified_at, verification_error, disabled_at, disabled_reason,
    deleted_at, created_at, updated_at, older_secrets, now() as read_at
from webhook_endpoints left join live_webhook_secrets on endpoint_id = id
where merchant_id = $1 and mode = $2 and deleted_at is null
    and ($4::text is null
        or (created_at, id) < (select created_at, id from webhook_endpoints where id = $4))
order by created_at desc, id desc limit $3

-- name: default_endpoint
select id from webhook_endpoints where merchant_id = $1 and mode = $2 and is_default

-- name: endpoints_counted
-- Those that there are, and those made in the last day, deleted or not.
select count(*) filter (where deleted_at is null) as alive,
    count(*) filter (where created_at > now() - interval '1 day') as made_lately
from webhook_endpoints where merchant_id = $1 and mode = $2

-- name: create_endpoint
insert into webhook_endpoints(id, merchant_id, mode, is_default, sealed_secret, request, url,
    event_types, description, schedule, waits_ms, sealed_headers, rate_per_s, fifo, fifo_blocks,
    sealed_signing_key)
values($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)

-- name: change_endpoint
update webhook_endpoints set url = $2, event_types = $3, description = $4, schedule = $5,
    waits_ms = $6, sealed_headers = $7, rate_per_s = $8, fifo = $9, fifo_blocks = $10,
    sealed_signing_key = $11, updated_at = now()
where id = $1

-- name: enable_endpoint
update webhook_endpoints
set enabled = true, disabled_at = null, disabled_reason = null, updated_at = now()
where id = $1

-- name: disable_endpoint
update webhook_endpoints
set enabled = false, disabled_at = now(), disabled_reason = $2, updated_at = now()
where id = $1

-- name: verdict_on_endpoint
-- $2 is null when the receiver agreed; $4 is whether this is a URL that was not asked before.
update webhook_endpoints set verification_error = $2, allowed_per_min = $3,
    verified_at = case when $2::text is null then now() when $4 then null else verified_at end
where id = $1

-- name: delete_endpoint
-- A tombstone needs no secrets but the one that its column asks for.
with forgotten as (delete from webhook_rotations where endpoint_id = $1)
update webhook_endpoints
set deleted_at = now(), updated_at = now(), enabled = false, is_default = false,
    sealed_headers = null, sealed_signing_key = null
where id = $1

-- name: stored_rotation
-- Whether it was the last one, and how many seconds ago it was.
select request, extract(epoch from now() - at)::float8 as age_s,
    at = (select max(at) from webhook_rotations where endpoint_id = $2) as latest
from webhook_rotations where id = $1 and endpoint_id = $2

-- name: rotate_endpoint_secret
-- Without an overlap, $5, those whose overlap runs end as well: it is what one does when one leaks.
with ended as (
    update webhook_rotations set replaced_secret = null
    where endpoint_id = $2 and replaced_secret is not null and (expires_at <= now() or $5 = 0)
), rotated as (
    insert into webhook_rotations(id, endpoint_id, request, replaced_secret, expires_at)
    select $1, $2, $3, case when $5 > 0 then sealed_secret end, now() + make_interval(secs => $5)
    from webhook_endpoints where id = $2
)
update webhook_endpoints set sealed_secret = $4, updated_at = now() where id = $2
