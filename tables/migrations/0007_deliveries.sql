-- Deliveries and attempts by weeks, so that old ones go by dropping a table and never by deleting
-- rows, and what the webhooks issue keeps of them. Weeks are made ahead by `headgate migrate` and
-- by notify (tables/delivery_weeks.py); a row of no week waits in the rest until its week is made.

alter table webhook_deliveries rename to old_deliveries;
alter table webhook_attempts rename to old_attempts;
alter index deliveries_of_merchant rename to old_deliveries_of_merchant;
alter index deliveries_of_payment rename to old_deliveries_of_payment;
alter index webhook_deliveries_pkey rename to old_deliveries_pkey;
alter index webhook_attempts_pkey rename to old_attempts_pkey;

create table webhook_deliveries (
    id text not null,
    event_id text not null,
    endpoint_id text not null,
    merchant_id text not null,
    mode text not null,
    payment_id text,
    replay_id text,
    type text not null,
    status text not null default 'pending'
        check (status in ('pending', 'success', 'failed', 'held', 'parked', 'canceled')),
    attempts int not null default 0,
    last_attempt_at timestamptz,
    next_retry_at timestamptz,
    response_code int,
    response_body text,
    created_at timestamptz not null,
    primary key (id, created_at)
) partition by range (created_at);
create index deliveries_of_merchant
    on webhook_deliveries (merchant_id, mode, created_at desc, id desc);
create index deliveries_unsuccessful
    on webhook_deliveries (merchant_id, mode, status, created_at desc, id desc)
    where status <> 'success';
create index deliveries_of_endpoint on webhook_deliveries (endpoint_id, created_at desc, id desc);
create index deliveries_undelivered on webhook_deliveries (endpoint_id, status, created_at, id)
    where status <> 'success';
create index deliveries_of_payment on webhook_deliveries (payment_id);
create index deliveries_of_event on webhook_deliveries (event_id);
create index deliveries_of_replay on webhook_deliveries (replay_id, created_at, status)
    where replay_id is not null;
create table webhook_deliveries_rest partition of webhook_deliveries default;
comment on column webhook_deliveries.created_at is 'The time of the event, or of the replay that made this delivery: the same whoever stores the row, since it is part of its key.';
comment on column webhook_deliveries.status is 'pending: an attempt is due or under way. held: no attempt before its endpoint answers again or has a place. parked: its endpoint is disabled. canceled: by a person, or with its endpoint.';

create table webhook_attempts (
    delivery_id text not null,
    delivery_created_at timestamptz not null,
    token text not null,
    attempt int not null,
    manual boolean not null,
    kind text not null,
    status_code int,
    error text,
    answer text not null,
    request_headers jsonb not null default '{}',
    answer_headers jsonb not null default '{}',
    connect_ms int,
    first_byte_ms int,
    started_at timestamptz not null,
    duration_ms int not null,
    next_attempt int,
    next_at timestamptz,
    primary key (delivery_id, token, delivery_created_at)
) partition by range (delivery_created_at);
create table webhook_attempts_rest partition of webhook_attempts default;
comment on column webhook_attempts.delivery_created_at is 'created_at of the delivery: both lie in the same week and go together.';
comment on column webhook_attempts.answer is 'The first 16 kB of what the receiver said.';

insert into webhook_deliveries (id, event_id, endpoint_id, merchant_id, mode, payment_id, type,
    status, attempts, last_attempt_at, next_retry_at, response_code, response_body, created_at)
select id, event_id, endpoint_id, merchant_id, mode, payment_id, type, status, attempts,
    last_attempt_at, next_retry_at, response_code, response_body, created_at
from old_deliveries;
insert into webhook_attempts (delivery_id, delivery_created_at, token, attempt, manual, kind,
    status_code, error, answer, started_at, duration_ms, next_attempt, next_at)
select a.delivery_id, coalesce(d.created_at, a.started_at), a.token, a.attempt, a.manual, a.kind,
    a.status_code, a.error, a.answer, a.started_at, a.duration_ms, a.next_attempt, a.next_at
from old_attempts a left join old_deliveries d on d.id = a.delivery_id;
drop table old_attempts, old_deliveries;
