-- name: note_requests
-- One entry for each place of the arrays. A batch whose answer was lost is written again.
insert into api_requests(id, at, merchant_id, mode, key_id, method, route, status, code, idempotency,
    payment_id, duration_us)
select * from unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[],
    $7::text[], $8::int[], $9::text[], $10::text[], $11::text[], $12::bigint[])
on conflict do nothing

-- name: note_key_uses
insert into api_key_uses(key_id, used_at)
select * from unnest($1::text[], $2::timestamptz[])
on conflict (key_id) do update set used_at = greatest(api_key_uses.used_at, excluded.used_at)
