-- name: project_held
-- What lanes told of deliveries that they hold, park or cancel, after the attempts of the same batch
-- have been stored in the same transaction. What was told late changes nothing: an attempt that was
-- made is not held, a delivery that has arrived is neither held nor canceled, and a lower number of
-- a hold is an older one.
with made as (
    select * from unnest($1::text[], $2::text[], $3::text[]) as m(delivery_id, token, ends)
), told as (
    select * from unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::int[],
        $10::bigint[], $11::text[], $12::int[], $13::int[], $14::bool[], $15::jsonb[],
        $16::bytea[], $17::timestamptz[], $18::timestamptz[])
        as t(delivery_id, chain, what, why, endpoint_id, partition, position, token, attempt,
            hold, fifo, wanted, body, created_at, held_at)
), canceled as (
    select delivery_id, created_at, max(position) as position
    from told where what = 'canceled' group by delivery_id, created_at
), standing as (
    select distinct on (t.delivery_id, t.chain) t.*
    from told t
    left join webhook_deliveries d on d.id = t.delivery_id and d.created_at = t.created_at
    where t.what <> 'canceled'
        and (t.chain <> '' or coalesce(d.status, 'pending') not in ('success', 'canceled'))
        and (t.what = 'blocked' or not exists (
            select from webhook_attempts a where a.delivery_id = t.delivery_id
                and a.token = t.token and a.delivery_created_at = t.created_at))
        and not exists (
            select from canceled c
            where c.delivery_id = t.delivery_id and t.position <= c.position)
    order by t.delivery_id, t.chain, t.attempt desc, t.hold desc
), over as (
    select h.delivery_id, h.chain from made m join held_deliveries h using (delivery_id)
    where m.ends = 'delivery' or (m.ends = 'schedule' and h.chain = '')
        or (m.token = h.token and (h.chain <> '' or not h.fifo))
    union
    select h.delivery_id, h.chain from canceled c join held_deliveries h using (delivery_id)
    where h.position <= c.position
), removed as (
    delete from held_deliveries h using over o
    where h.delivery_id = o.delivery_id and h.chain = o.chain and not exists (
        select from standing s where s.delivery_id = o.delivery_id and s.chain = o.chain)
), kept as (
    insert into held_deliveries as h (delivery_id, chain, endpoint_id, partition, position, token,
        attempt, hold, released, why, fifo, wanted, body, held_since)
    select s.delivery_id, s.chain, s.endpoint_id, s.partition, coalesce((
            select min(earlier.position) from held_deliveries earlier
            where earlier.delivery_id = s.delivery_id), s.position),
        s.token, s.attempt, s.hold, case when s.what = 'blocked' then s.hold else 0 end,
        s.why, s.fifo, s.wanted, s.body, s.held_at
    from standing s
    on conflict (delivery_id, chain) do update set
        token = excluded.token, attempt = excluded.attempt, hold = excluded.hold,
        released = excluded.released, why = excluded.why, fifo = excluded.fifo,
        wanted = excluded.wanted
    where (excluded.attempt, excluded.hold) > (h.attempt, h.hold)
    returning h.delivery_id, h.chain
), shown as (
    select s.delivery_id, s.created_at, s.what as status
    from standing s join kept k using (delivery_id, chain)
    where s.chain = '' and s.what in ('held', 'parked')
    union all
    select delivery_id, created_at, 'canceled' from canceled
)
update webhook_deliveries d set status = s.status, next_retry_at = null
from shown s
where d.id = s.delivery_id and d.created_at = s.created_at
    and d.status in ('pending', 'held', 'parked')

-- name: held_lanes
-- The endpoints of these partitions that have deliveries to be released, and whether any of those
-- waits for a breaker.
select partition, endpoint_id, bool_or(why = 'open') as open
from held_deliveries where partition = any($1::int[]) and released < hold
group by partition, endpoint_id

-- name: held_of_lanes
-- What each lane holds, the oldest first, as many as it has room for. A lane that sends one by one
-- shows also what is on its way: nothing may overtake it.
select h.delivery_id, h.chain, h.partition, h.hold, h.released, h.why, h.wanted::text as wanted,
    h.body, h.held_since
from unnest($1::int[], $2::text[], $3::int[], $4::bool[], $5::bool[])
    as lane(partition, endpoint_id, room, fifo, parked_stay)
cross join lateral (
    select * from held_deliveries h
    where h.partition = lane.partition and h.endpoint_id = lane.endpoint_id
        and (lane.fifo or h.released < h.hold)
        and not (lane.parked_stay and (h.why = 'disabled' or h.released >= h.hold))
    order by h.position, h.chain limit lane.room
) h
order by h.partition, h.position, h.chain

-- name: held_before
select h.delivery_id, h.chain, h.partition, h.hold, h.released, h.why, h.wanted::text as wanted,
    ''::bytea as body, h.held_since
from held_deliveries h
where h.partition = any($1::int[]) and h.held_since < $2 and h.released < h.hold
    and h.why not in ('disabled', 'exhausted')
    and (h.held_since, h.delivery_id, h.chain) > ($3, $4, $5)
order by h.held_since, h.delivery_id, h.chain limit $6

-- name: mark_released
update held_deliveries h set released = r.hold
from unnest($1::text[], $2::text[], $3::int[]) as r(delivery_id, chain, hold)
where h.delivery_id = r.delivery_id and h.chain = r.chain and h.hold = r.hold

-- name: pass_blocked
-- An exhausted head that blocked its lane no longer does.
delete from held_deliveries h using unnest($1::text[]) as r(delivery_id)
where h.delivery_id = r.delivery_id and h.chain = '' and h.why = 'exhausted'

-- name: older_held
-- The delivery that an endpoint must send before this one, if it sends them one by one.
select first.delivery_id from held_deliveries mine
cross join lateral (
    select delivery_id from held_deliveries h
    where h.partition = mine.partition and h.endpoint_id = mine.endpoint_id
        and h.position < mine.position
    order by h.position limit 1
) first
where mine.delivery_id = $1 limit 1
