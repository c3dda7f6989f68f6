-- What the screen Keys & requests shows. $1 is the merchant whose rows are seen, null for all; $2
-- the mode.

-- name: dashboard_keys
-- Those whose id begins with $3.
select k.id, k.merchant_id, k.mode, k.name, k.scopes, k.created_at, k.expires_at, k.replaced_by,
    u.used_at, case when k.revoked_at is not null then 'revoked' when k.expires_at is null then 'active'
        when k.expires_at > now() then 'expiring' else 'expired' end as status
from api_keys k left join api_key_uses u on u.key_id = k.id
where ($1::text is null or k.merchant_id = $1) and k.mode = $2 and starts_with(k.id, $3)
order by k.created_at desc, k.id desc limit $4

-- name: dashboard_key
select k.id, k.merchant_id, k.mode, k.name, k.scopes, k.rate_per_s, k.created_at, k.expires_at,
    k.revoked_at, k.replaced_by, u.used_at, case when k.revoked_at is not null then 'revoked'
        when k.expires_at is null then 'active'
        when k.expires_at > now() then 'expiring' else 'expired' end as status
from api_keys k left join api_key_uses u on u.key_id = k.id
where ($1::text is null or k.merchant_id = $1) and k.mode = $2 and k.id = $3

-- name: dashboard_requests
-- Who sees all sees those without a key as well. What no index serves, `{also}`, is looked for among
-- the newest $4.
select id, at, merchant_id, key_id, method, route, status, code, idempotency, payment_id, duration_us
from (
    select * from api_requests
    where ($1::text is null or merchant_id = $1) and (mode = $2 or $1::text is null and mode is null)
        and {where}
    order by at desc, id desc limit $4
) newest
where {also}
order by at desc, id desc limit $3

-- name: dashboard_request_place
select at, id from api_requests
where ($1::text is null or merchant_id = $1) and (mode = $2 or $1::text is null and mode is null)
    and id = $3
