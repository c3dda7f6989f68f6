-- name: attempts_sent
-- Each wanted attempt with the answer that it already has, or null; `fresh` when it is new.
with wanted as (
    select * from unnest($1::text[], $2::int[], $3::text[]) as w(attempt_id, look, payment_id)
), made as (
    insert into acquirer_attempts(attempt_id, look, payment_id)
    select attempt_id, look, payment_id from wanted
    on conflict do nothing returning attempt_id, look
)
select w.attempt_id, w.look, made.attempt_id is not null as fresh, a.answer::text
from wanted w
left join made using (attempt_id, look)
left join acquirer_attempts a using (attempt_id, look)

-- name: attempts_answered
-- The first answer of each attempt is kept; told is the one that is kept.
update acquirer_attempts a set answer = coalesce(a.answer, u.answer::jsonb)
from unnest($1::text[], $2::int[], $3::text[]) as u(attempt_id, look, answer)
where a.attempt_id = u.attempt_id and a.look = u.look
returning a.attempt_id, a.look, a.answer::text

-- name: acquirer_knobs
select merchant_id, knobs::text from acquirer_knobs

-- name: acquirer_knobs_of
select knobs::text from acquirer_knobs where merchant_id = $1

-- name: set_acquirer_knobs
insert into acquirer_knobs(merchant_id, knobs) values($1, $2::jsonb)
on conflict (merchant_id) do update set knobs = excluded.knobs, updated_at = now()

-- name: reset_acquirer_knobs
delete from acquirer_knobs where merchant_id = $1
