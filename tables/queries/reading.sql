-- What the API reads of what settle has stored. `{where}` and `{way}` are clauses of the code
-- (tables/conditions.py), so that PostgreSQL plans each combination of filters for itself.

-- name: payments_page
select id, record::text as shown from payments
where merchant_id = $1 and mode = $2 and {where}
order by created_at {way}, id {way} limit $3

-- name: payment_place
select created_at, id from payments where id = $1 and merchant_id = $2 and mode = $3

-- name: children_page
select id, snapshot::text as shown from payment_children
where merchant_id = $1 and mode = $2 and {where}
order by created_at {way}, id {way} limit $3

-- name: child_place
select created_at, id from payment_children where id = $1 and merchant_id = $2 and mode = $3

-- name: child
select snapshot::text as shown from payment_children
where id = $1 and merchant_id = $2 and mode = $3

-- name: children_of
select snapshot::text as shown from payment_children
where payment_id = $1 and kind = any($2::text[])
order by created_at, id

-- name: fact_as_of
-- The last fact that was told then. A payment's operations stand on one partition.
select f.sequence, f.payload from facts f join payments p on p.id = f.payment_id
where f.payment_id = $1 and p.merchant_id = $2 and p.mode = $3 and {where}
order by f.sequence desc limit 1

-- name: child_facts_until
select payload from facts
where payment_id = $1 and sequence <= $2 and split_part(type, '.', 1) = any($3::text[])
order by sequence

-- name: timeline
-- What was told, asked by hand and refused, in the order of the log. $4 and $5 are where the page
-- before ended: an offset, and a sequence within its operation.
select o.command_id, o.type as command, o.partition, o."offset", o.actor, o.request_id, o.refusal,
    o.result, o.created_at, coalesce(f.sequence, 0) as sequence, f.event_id, f.type, f.payload
from operations o left join facts f
    on f.payment_id = o.payment_id and f.sequence between o.first_sequence and o.last_sequence
where o.payment_id = $1 and o.merchant_id = $2 and o.mode = $3
    and (o."offset", coalesce(f.sequence, 0)) > ($4, $5)
    and (f.sequence is not null or o.refusal is not null or o.type = 'payment.inquire') and {where}
order by o."offset", f.sequence limit $6

-- name: event
select f.payload from facts f join payments p on p.id = f.payment_id
where f.event_id = $1 and p.merchant_id = $2 and p.mode = $3

-- name: events_window
-- A merchant's operations behind a cursor, at most $7 of each partition and all below $6.
select o.payment_id, o.partition, o."offset", o.first_sequence, o.last_sequence, o.created_at
from unnest($3::int[], $4::bigint[], $5::int[], $6::bigint[])
    as c(partition, "offset", sequence, below)
cross join lateral (
    select * from operations
    where merchant_id = $1 and mode = $2 and partition = c.partition
        and "offset" >= c."offset" and "offset" < c.below
        and ("offset" > c."offset" or last_sequence > c.sequence)
    order by "offset" limit $7
) o
order by o.partition, o."offset"

-- name: events_window_of_payment
-- The same of one payment, all of whose operations stand on one partition.
select payment_id, partition, "offset", first_sequence, last_sequence, created_at
from operations
where payment_id = $3 and merchant_id = $1 and mode = $2
    and "offset" >= $4 and "offset" < $6 and ("offset" > $4 or last_sequence > $5)
order by "offset" limit $7

-- name: events_told
select f.payment_id, f.sequence, f.event_id, f.type, f.payload from facts f
join unnest($1::text[], $2::int[], $3::int[]) as o(payment_id, first, last)
    on f.payment_id = o.payment_id and f.sequence between o.first and o.last
where $4::text[] is null or f.type like any($4)
order by f.payment_id, f.sequence

-- name: settled_positions
select partition, next_offset from claims where topic = $1

-- name: child_owner
select payment_id from payment_children where id = $1 and merchant_id = $2 and mode = $3
