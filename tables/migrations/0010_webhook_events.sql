-- Operational events: what happened to endpoints and deliveries, with the bytes that are sent, as
-- facts have theirs. Whoever changes an endpoint writes the event in the same transaction; notify
-- puts it on the log.

create table webhook_events (
    event_id text primary key,
    merchant_id text not null,
    mode text not null check (mode in ('test', 'live')),
    endpoint_id text,
    type text not null,
    payload bytea not null,
    created_at timestamptz not null,
    told boolean not null default false
);
create index webhook_events_to_tell on webhook_events (created_at, event_id) where not told;
create index webhook_events_by_age on webhook_events (created_at) where told;
comment on column webhook_events.endpoint_id is 'The one endpoint that it is for; null for all that ask for its type.';
comment on column webhook_events.told is 'Whether it is on the log (webhooks.events).';

-- Events that are about no payment are delivered too.
alter table webhook_deliveries alter column payment_id drop not null;

create view event_bodies as
    select event_id, type, payload, created_at from facts
    union all
    select event_id, type, payload, created_at from webhook_events;
comment on view event_bodies is 'The body of every webhook by its event.';

create table webhook_endpoint_health (
    endpoint_id text primary key,
    failing_since timestamptz not null,
    last_failure_at timestamptz not null,
    attempts int not null,
    warned int not null,
    "offset" bigint not null
);
comment on table webhook_endpoint_health is 'Endpoints that failed: how often since the last success, 0 when they answer again.';
comment on column webhook_endpoint_health."offset" is 'The record of webhooks.attempts that was counted last: a repeat counts nothing.';
