-- name: create_person
insert into people(id, email, name, kind, merchant_id, password_hash) values($1, $2, $3, $4, $5, $6)

-- name: person
select id, email, name, kind, merchant_id, created_at, disabled_at from people
where email = $1 and kind = $2

-- name: people
-- $2 is whose people; null is everybody's.
select id, email, name, kind, merchant_id, created_at, disabled_at from people
where kind = $1 and ($2::text is null or merchant_id = $2) order by created_at, id

-- name: person_to_sign_in
select id, kind, password_hash from people where email = $1 and disabled_at is null

-- name: set_password
update people set password_hash = $2 where id = $1

-- name: set_person_disabled
update people set disabled_at = case when $2 then coalesce(disabled_at, now()) end where id = $1

-- name: set_theme
update people set theme = $2 where id = (select person_id from sessions where id = $1)

-- name: open_session
-- Nobody who was disabled, and no password that was changed while it was checked.
insert into sessions(id, person_id, csrf, mode, expires_at)
select $1, id, $3, $4, now() + make_interval(secs => $5) from people
where id = $2 and disabled_at is null and password_hash = $6
returning person_id

-- name: session
select person_id, name, kind, merchant_id, mode, csrf, theme,
    extract(epoch from now() - seen_at)::float8 as unseen_s
from sessions join people on people.id = person_id
where sessions.id = $1 and disabled_at is null and expires_at > now()
    and seen_at > now() - make_interval(secs => $2)

-- name: see_session
update sessions set seen_at = now() where id = $1

-- name: set_session_mode
update sessions set mode = $2 where id = $1

-- name: end_session
delete from sessions using people where sessions.id = $1 and people.id = person_id
returning person_id, kind

-- name: end_sessions_of
delete from sessions where person_id = $1

-- name: sweep_sessions
-- A few at a time: whoever signs in pays for it.
delete from sessions where id in (
    select id from sessions where expires_at < now() order by expires_at limit $1
    for update skip locked)

-- name: sweep_sign_in_attempts
delete from sign_in_attempts where id in (
    select id from sign_in_attempts where at < now() - make_interval(secs => $1) order by at limit $2
    for update skip locked)

-- name: lock_bucket
select pg_advisory_xact_lock(hashtextextended($1, 11))

-- name: sign_in_attempts
-- How many there were lately, and in how many seconds the oldest of them no longer counts.
select count(*) as many,
    coalesce(extract(epoch from min(at) + make_interval(secs => $2) - now()), 0)::float8 as wait_s
from sign_in_attempts where bucket = $1 and at > now() - make_interval(secs => $2)

-- name: count_sign_in_attempt
insert into sign_in_attempts(bucket) values($1) returning id

-- name: forget_sign_in_attempts
-- Those of the e-mail address, and the one that turned out right.
delete from sign_in_attempts where bucket = $1 or id = any($2::bigint[])
