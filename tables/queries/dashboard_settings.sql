-- What the screen Settings & audit shows. $1 is the merchant whose rows are seen, null for all.

-- name: dashboard_merchants
-- Those whose name or e-mail address holds $2.
select id, name, email, active, created_at from merchants
where ($1::text is null or id = $1) and ($2 = '' or position(lower($2) in lower(name || ' ' || email)) > 0)
order by created_at desc, id desc limit $3

-- name: dashboard_merchant
-- With its default endpoint of the mode $2, which is what the seed calls its webhook settings.
select m.id, m.name, m.email, m.require_keys, m.active, m.created_at, e.id as endpoint_id, e.url,
    e.enabled, e.disabled_reason
from merchants m left join webhook_endpoints e
    on e.merchant_id = m.id and e.mode = $2 and e.is_default and e.deleted_at is null
where ($1::text is null or m.id = $1) and m.id = $3

-- name: dashboard_audit
-- Rows of the mode $2, or of both, before the row $6.
select id, at, actor, action, subject, change::text as change, merchant_id from audit
where ($1::text is null or merchant_id = $1) and (mode is null or mode = $2)
    and starts_with(actor, $3) and starts_with(action, $4) and ($5 = '' or subject = $5) and id < $6
order by id desc limit $7
