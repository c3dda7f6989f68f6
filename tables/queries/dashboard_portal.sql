-- name: dashboard_portal
-- The merchant of a portal link, whether the API key $2 that asked for it is over, and the pages
-- that may show it in a frame.
select m.name, coalesce(k.revoked_at is not null or k.expires_at <= now(), false) as key_is_over,
    m.checkout_origins as origins
from merchants m left join api_keys k on k.id = $2 and k.merchant_id = m.id
where m.id = $1
