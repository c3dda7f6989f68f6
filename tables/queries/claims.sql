-- name: incarnate
-- $2 is what this process last held: a restored database may hold less (08 R2).
insert into instances as i(id, incarnation, role, host, pid, version, started_at, beat_at)
values($1, $2 + 1, $3, $4, $5, $6, now(), now())
on conflict (id) do update set
    incarnation = greatest(i.incarnation, $2) + 1, role = excluded.role, host = excluded.host,
    pid = excluded.pid, version = excluded.version, started_at = now(), beat_at = now(), partitions = '{}', problem = null
returning incarnation

-- name: incarnation
select incarnation from instances where id = $1

-- name: beat
update instances set beat_at = now(), partitions = $3::jsonb, problem = $4
where id = $1 and incarnation = $2
returning incarnation

-- name: instances
select id, incarnation, role, host, pid, started_at, beat_at, partitions, problem,
    extract(epoch from now() - beat_at)::float8 as silent_s
from instances

-- name: claimed
select partition, next_offset, published_offset from claims
where topic = $1 and partition = any($2::int[])

-- name: take_claims
-- A row that is missing is made at the offset given in $4, which the caller has vouched for.
insert into claims as c(topic, partition, token, owner, next_offset, published_offset)
select $1, asked.partition, gen_random_uuid(), $3, asked.start_at, asked.start_at
from unnest($2::int[], $4::bigint[]) as asked(partition, start_at)
on conflict (topic, partition) do update set
    token = excluded.token, owner = excluded.owner, taken_at = now(),
    times_taken = c.times_taken + 1
returning partition, token, next_offset, published_offset

-- name: advance_claims
-- How many of the claims still stand; all or none advance.
with held as (
    select c.partition from claims c
    join unnest($2::int[], $3::uuid[]) as mine(partition, token)
        on c.topic = $1 and c.partition = mine.partition and c.token = mine.token
    for update of c
), go as (select 1 where (select count(*) from held) = cardinality($2::int[]))
, moved as (
    update claims c set
        next_offset = greatest(c.next_offset, mine.next_offset),
        published_offset = greatest(c.published_offset, mine.published_offset)
    from unnest($2::int[], $4::bigint[], $5::bigint[]) as mine(partition, next_offset, published_offset)
    where c.topic = $1 and c.partition = mine.partition and exists (select 1 from go)
)
select exists (select 1 from go) as held

-- name: next_offset
select next_offset from claims where topic = $1 and partition = $2
