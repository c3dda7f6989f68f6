-- name: stored_key
-- $2 and $3 are whose it must be; null is anybody's.
select id, merchant_id, mode, name, scopes, rate_per_s, strict_parameters, created_at, expires_at,
    revoked_at, replaced_by, secret_hash, request, now() as read_at
from api_keys
where id = $1 and ($2::text is null or (merchant_id = $2 and mode = $3))

-- name: stored_keys
-- $4 is a key of the page before.
select id, merchant_id, mode, name, scopes, rate_per_s, strict_parameters, created_at, expires_at,
    revoked_at, replaced_by, secret_hash, request, now() as read_at
from api_keys
where merchant_id = $1 and mode = any($2::text[])
    and ($4::text is null or (created_at, id) < (select created_at, id from api_keys where id = $4))
order by created_at desc, id desc limit $3

-- name: api_keys_alive
select count(*) from api_keys
where merchant_id = $1 and mode = $2 and revoked_at is null
    and (expires_at is null or expires_at > now())

-- name: create_api_key
insert into api_keys(id, merchant_id, mode, secret_hash, name, scopes, rate_per_s, strict_parameters,
    request)
values($1, $2, $3, $4, $5, $6, $7, $8, $9)

-- name: replace_api_key
update api_keys set replaced_by = $2, expires_at = now() + make_interval(secs => $3) where id = $1

-- name: revoke_api_key
update api_keys set revoked_at = now() where id = $1

-- name: stored_merchant
select id, name, email, require_keys, active, created_at, checkout_origins from merchants where id = $1 or email = $1

-- name: stored_merchants
select id, name, email, require_keys, active, created_at, checkout_origins from merchants order by created_at, id

-- name: change_merchant
-- What is null stays as it is.
update merchants
set name = coalesce($2, name), require_keys = coalesce($3, require_keys), active = coalesce($4, active),
    checkout_origins = coalesce($5, checkout_origins)
where id = $1
returning id, name, email, require_keys, active, created_at, checkout_origins
