-- The weeks of deliveries and attempts. What stands in braces are names and times of our own.

-- name: weeks_tending
select pg_try_advisory_lock($1) as mine

-- name: weeks_tended
select pg_advisory_unlock($1)

-- name: weeks_present
select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = $1::text::regclass

-- name: weeks_of_strays
-- The days of rows that lie in no week.
select distinct ({column} at time zone 'UTC')::date as day from {rest}
where {column} >= $1 order by day limit $2

-- name: weeks_patience
-- Where somebody reads a table for long, everybody would queue behind who waits to change it.
set local lock_timeout = '3s'

-- name: week_make
create table {part} (like {table} including all)

-- name: week_hold
lock table {rest} in access exclusive mode

-- name: week_fill
with moved as (
    delete from {rest} where {column} >= '{since}' and {column} < '{until}' returning *
)
insert into {part} select * from moved

-- name: week_attach
alter table {table} attach partition {part} for values from ('{since}') to ('{until}')

-- name: week_drop
drop table {part}

-- name: weeks_forget
-- Rows that are older than the retention and lie in no week; there are hardly any.
delete from {rest} where ctid = any (array(select ctid from {rest} where {column} < $1 limit $2))
