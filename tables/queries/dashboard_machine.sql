-- The machine room: of operators alone, so nothing here asks for a merchant.

-- name: dashboard_workers
-- A process lives when any part of it says so: the delay pump stays within notify and says nothing.
select id, incarnation, role, host, pid, version, started_at, beat_at, partitions, problem,
    extract(epoch from now() - max(beat_at) over (partition by host, pid))::float8 as silent_s
from instances
order by role, id

-- name: dashboard_claims
select topic, partition, owner, next_offset, published_offset, taken_at, times_taken
from claims
order by topic, partition

-- name: dashboard_table_rows
select id, merchant_id, version, state, record::text from payments where id = any($1::text[])

-- name: dead_letters_handled
select h.topic, h.partition, h."offset", h.written_ms, h.action, h.actor, h.note, h.replayed_to, h.at
from dead_letters_handled h
join unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) as asked(topic, partition, "offset", written_ms)
    using (topic, partition, "offset", written_ms)

-- name: handle_dead_letters
-- A discarded letter may be replayed after all; one that was replayed stays that.
insert into dead_letters_handled as h(topic, partition, "offset", written_ms, action, actor, note, replayed_to)
select topic, partition, "offset", written_ms, $5, $6, $7, replayed_to
from unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[], $8::text[])
    as asked(topic, partition, "offset", written_ms, replayed_to)
on conflict (topic, partition, "offset", written_ms) do update set
    action = excluded.action, actor = excluded.actor, note = excluded.note,
    replayed_to = excluded.replayed_to, at = now()
where h.action = 'discarded'
returning topic, partition, "offset", written_ms
