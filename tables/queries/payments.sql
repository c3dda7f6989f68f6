-- name: settle
-- All or nothing (08 R1): every claim stands, every payment still has the version that its
-- decision started from, and no command has been decided before. Otherwise nothing is written
-- and the answer says which of the three it was.
with held as (
    select c.partition from claims c
    join unnest($2::int[], $3::uuid[]) as mine(partition, token)
        on c.topic = $1 and c.partition = mine.partition and c.token = mine.token
    for update of c
), claim as (
    select (select count(*) from held) = cardinality($2::int[]) as stands
), current as (
    select id, version from payments where id = any($6::text[]) for update
), stale as (
    select decided.id from unnest($6::text[], $7::int[]) as decided(id, base)
    left join current using (id)
    where coalesce(current.version, 0) <> decided.base
), known as (
    select command_id from operations where command_id = any($24::text[])
), go as (
    select 1 from claim
    where stands and not exists (select 1 from stale) and not exists (select 1 from known)
), moved as (
    update claims c set
        next_offset = greatest(c.next_offset, mine.next_offset),
        published_offset = greatest(c.published_offset, mine.published_offset)
    from unnest($2::int[], $4::bigint[], $5::bigint[])
        as mine(partition, next_offset, published_offset)
    where c.topic = $1 and c.partition = mine.partition and exists (select 1 from go)
), stored as (
    insert into payments as p (id, version, merchant_id, mode, status, state, amount, currency,
        method, order_id, created_at, updated_at, record)
    select u.id, u.version, u.merchant_id, u.mode, u.status, u.state, u.amount, u.currency,
        u.method, u.order_id, u.created_at, u.updated_at, u.record::jsonb
    from unnest($6::text[], $8::int[], $9::text[], $10::text[], $11::text[], $12::text[],
        $13::bigint[], $14::text[], $15::text[], $16::text[], $17::timestamptz[],
        $18::timestamptz[], $19::text[])
        as u(id, version, merchant_id, mode, status, state, amount, currency, method, order_id,
            created_at, updated_at, record)
    where exists (select 1 from go)
    on conflict (id) do update set
        version = excluded.version, status = excluded.status, state = excluded.state,
        updated_at = excluded.updated_at, record = excluded.record
), told as (
    insert into facts (event_id, payment_id, sequence, type, payload, created_at)
    select u.event_id, u.payment_id, u.sequence, u.type, u.payload, u.created_at
    from unnest($20::text[], $21::text[], $22::int[], $23::text[], $35::bytea[],
        $36::timestamptz[]) as u(event_id, payment_id, sequence, type, payload, created_at)
    where exists (select 1 from go)
), recorded as (
    insert into operations (command_id, payment_id, merchant_id, type, fingerprint, refusal,
        first_sequence, last_sequence, requests, partition, "offset", created_at, mode, key_id,
        actor, request_id, result)
    select u.command_id, u.payment_id, u.merchant_id, u.type, u.fingerprint, u.refusal,
        u.first_sequence, u.last_sequence, u.requests::jsonb, u.partition, u."offset",
        u.created_at, u.mode, u.key_id, u.actor, u.request_id, u.result
    from unnest($24::text[], $25::text[], $26::text[], $27::text[], $28::text[], $29::text[],
        $30::int[], $31::int[], $32::text[], $33::int[], $34::bigint[], $37::timestamptz[],
        $38::text[], $39::text[], $40::text[], $41::text[], $42::bytea[])
        as u(command_id, payment_id, merchant_id, type, fingerprint, refusal, first_sequence,
            last_sequence, requests, partition, "offset", created_at, mode, key_id, actor,
            request_id, result)
    where exists (select 1 from go)
), children as (
    insert into payment_children as c (id, payment_id, merchant_id, mode, kind, state, amount,
        currency, created_at, updated_at, snapshot)
    select u.id, u.payment_id, u.merchant_id, u.mode, u.kind, u.state, u.amount, u.currency,
        u.created_at, u.updated_at, u.snapshot::jsonb
    from unnest($43::text[], $44::text[], $45::text[], $46::text[], $47::text[], $48::text[],
        $49::bigint[], $50::text[], $51::timestamptz[], $52::timestamptz[], $53::text[])
        as u(id, payment_id, merchant_id, mode, kind, state, amount, currency, created_at,
            updated_at, snapshot)
    where exists (select 1 from go)
    on conflict (id) do update set
        state = excluded.state, updated_at = excluded.updated_at, snapshot = excluded.snapshot
)
select (select stands from claim) as held,
    array(select id from stale) as stale,
    array(select command_id from known) as known

-- name: records
select id, record::text from payments where id = any($1::text[])

-- name: decided
select command_id, payment_id, fingerprint, refusal, first_sequence, last_sequence,
    requests::text, partition, "offset", request_id, result
from operations where command_id = any($1::text[])

-- name: facts_between
select f.payment_id, f.sequence, f.payload from facts f
join unnest($1::text[], $2::int[], $3::int[]) as wanted(payment_id, first, last)
    on f.payment_id = wanted.payment_id and f.sequence between wanted.first and wanted.last
order by f.payment_id, f.sequence

-- name: payment
select record::text from payments where id = $1 and merchant_id = $2 and mode = $3

-- name: operation
select command_id, payment_id, merchant_id, type, fingerprint, refusal, partition, "offset"
from operations where command_id = $1
