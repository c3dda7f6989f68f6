-- name: want_deliveries
-- All or nothing: every claim stands, and the facts were matched with the configuration as it is
-- now (08 R30). Otherwise nothing is written and the answer says which of the two it was. A
-- delivery that is there already is a repeat (08 R27).
with held as (
    select c.partition from claims c
    join unnest($2::int[], $3::uuid[]) as mine(partition, token)
        on c.topic = $1 and c.partition = mine.partition and c.token = mine.token
    for update of c
), claim as (
    select (select count(*) from held) = cardinality($2::int[]) as stands
), latest as (
    select version from configuration
), go as (
    select 1 from claim, latest where stands and version = $6
), moved as (
    update claims c set
        next_offset = greatest(c.next_offset, mine.next_offset),
        published_offset = greatest(c.published_offset, mine.published_offset)
    from unnest($2::int[], $4::bigint[], $5::bigint[])
        as mine(partition, next_offset, published_offset)
    where c.topic = $1 and c.partition = mine.partition and exists (select 1 from go)
), wanted as (
    insert into webhook_deliveries (id, event_id, endpoint_id, merchant_id, mode, payment_id,
        replay_id, type, created_at)
    select w.id, w.event_id, w.endpoint_id, w.merchant_id, w.mode, w.payment_id, w.replay_id,
        w.type, w.created_at
    from unnest($7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
        $13::text[], $14::text[], $15::timestamptz[])
        as w(id, event_id, endpoint_id, merchant_id, mode, payment_id, replay_id, type, created_at)
    where exists (select 1 from go)
    on conflict (id, created_at) do nothing
    returning id
)
select (select stands from claim) as held, (select version from latest) as version,
    array(select id from wanted) as fresh

-- name: attempts_recorded
-- What is known of each wanted attempt, and whether its delivery has arrived or was canceled. created_at names the
-- week that the rows are in.
select w.delivery_id, w.token, a.token is not null as recorded, a.next_attempt,
    round(extract(epoch from a.next_at) * 1000)::bigint as next_at_ms,
    coalesce(d.status in ('success', 'canceled'), false) as delivered
from unnest($1::text[], $2::text[], $3::timestamptz[]) as w(delivery_id, token, created_at)
left join webhook_attempts a on a.delivery_id = w.delivery_id and a.token = w.token
    and a.delivery_created_at = w.created_at
left join webhook_deliveries d on d.id = w.delivery_id and d.created_at = w.created_at

-- name: project_attempts
-- Attempts into rows, while the claims stand. An attempt counts once, by its token; a success is
-- never taken back, not by an attempt told late and not by one told twice. Attempts that a person
-- asked for move nothing but the row's last answer, unless they succeed (08 R28).
with held as (
    select c.partition from claims c
    join unnest($2::int[], $3::uuid[]) as mine(partition, token)
        on c.topic = $1 and c.partition = mine.partition and c.token = mine.token
    for update of c
), claim as (
    select (select count(*) from held) = cardinality($2::int[]) as stands
), moved as (
    update claims c set
        next_offset = greatest(c.next_offset, mine.next_offset),
        published_offset = greatest(c.published_offset, mine.published_offset)
    from unnest($2::int[], $4::bigint[], $5::bigint[])
        as mine(partition, next_offset, published_offset)
    where c.topic = $1 and c.partition = mine.partition and (select stands from claim)
), made as (
    -- Attempts told before they named their delivery's time take it from its row.
    select m.*, coalesce(m.named, (
        select d.created_at from webhook_deliveries d where d.id = m.delivery_id limit 1
    ), min(m.started_at) over (partition by m.delivery_id)) as created_at
    from unnest($6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[],
        $12::text[], $13::text[], $14::text[], $15::int[], $16::bool[], $17::text[], $18::int[],
        $19::text[], $20::text[], $21::jsonb[], $22::jsonb[], $23::int[], $24::int[],
        $25::timestamptz[], $26::timestamptz[], $27::int[], $28::int[], $29::timestamptz[])
        as m(delivery_id, event_id, endpoint_id, merchant_id, mode, payment_id, replay_id, type,
            token, attempt, manual, kind, status_code, error, answer, request_headers,
            answer_headers, connect_ms, first_byte_ms, named, started_at, duration_ms,
            next_attempt, next_at)
    where (select stands from claim)
), noted as (
    insert into webhook_attempts as a (delivery_id, delivery_created_at, token, attempt, manual,
        kind, status_code, error, answer, request_headers, answer_headers, connect_ms,
        first_byte_ms, started_at, duration_ms, next_attempt, next_at)
    select distinct on (delivery_id, created_at, token) delivery_id, created_at, token, attempt,
        manual, kind, status_code, error, answer, request_headers, answer_headers, connect_ms,
        first_byte_ms, started_at, duration_ms, next_attempt, next_at
    from made
    order by delivery_id, created_at, token, kind = 'success' desc, started_at
    on conflict (delivery_id, token, delivery_created_at) do update set
        kind = excluded.kind, status_code = excluded.status_code, error = excluded.error,
        answer = excluded.answer, request_headers = excluded.request_headers,
        answer_headers = excluded.answer_headers, connect_ms = excluded.connect_ms,
        first_byte_ms = excluded.first_byte_ms, started_at = excluded.started_at,
        duration_ms = excluded.duration_ms, next_attempt = null, next_at = null
    where a.kind <> 'success' and excluded.kind = 'success'
    returning a.*
), counted as (
    -- What this statement has noted is not to be seen in the table yet.
    select n.delivery_id, n.delivery_created_at as created_at,
        count(*) filter (where a.token is null) as attempts, max(n.started_at) as last_at,
        bool_or(n.kind = 'success') as succeeded
    from noted n left join webhook_attempts a on a.delivery_id = n.delivery_id
        and a.token = n.token and a.delivery_created_at = n.delivery_created_at
    group by n.delivery_id, n.delivery_created_at
), shown as (
    select distinct on (delivery_id) delivery_id, status_code,
        case when status_code is null then error else left(answer, 1000) end as body
    from noted order by delivery_id, kind = 'success' desc, started_at desc
), scheduled as (
    select distinct on (delivery_id) delivery_id, next_at
    from noted where not manual order by delivery_id, attempt desc
), told as (
    select distinct on (delivery_id) delivery_id, event_id, endpoint_id, merchant_id, mode,
        payment_id, replay_id, type
    from made order by delivery_id
), projected as (
    insert into webhook_deliveries as d (id, event_id, endpoint_id, merchant_id, mode, payment_id,
        replay_id, type, created_at, attempts, last_attempt_at, status, next_retry_at,
        response_code, response_body)
    select delivery_id, event_id, endpoint_id, merchant_id, mode, payment_id, replay_id, type,
        created_at, attempts, last_at,
        case when succeeded then 'success'
            when s.delivery_id is not null and s.next_at is null then 'failed'
            else 'pending' end,
        case when not succeeded then s.next_at end,
        status_code, body
    from counted join shown using (delivery_id) join told using (delivery_id)
    left join scheduled s using (delivery_id)
    on conflict (id, created_at) do update set
        attempts = d.attempts + excluded.attempts,
        last_attempt_at = greatest(d.last_attempt_at, excluded.last_attempt_at),
        -- Pending without a next try: nothing but attempts that a person asked for.
        status = case when 'success' in (d.status, excluded.status) then 'success'
            when d.status = 'canceled' then 'canceled'
            when excluded.status = 'pending' and excluded.next_retry_at is null then d.status
            else excluded.status end,
        next_retry_at = case when 'success' in (d.status, excluded.status)
                or d.status = 'canceled' then null
            when excluded.status = 'pending' and excluded.next_retry_at is null
                then d.next_retry_at
            else excluded.next_retry_at end,
        response_code = case when d.status = 'success' then d.response_code
            else excluded.response_code end,
        response_body = case when d.status = 'success' then d.response_body
            else excluded.response_body end
)
select (select stands from claim) as held
