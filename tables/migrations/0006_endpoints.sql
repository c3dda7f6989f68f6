-- Endpoints: many per merchant, each with its own schedule, headers, limits and secrets; verified, put
-- on hold with a reason, and never quite gone. The edge writes them; notify only disables.

alter table webhook_endpoints
    add column description text,
    add column schedule text not null default 'seed' check (schedule in ('seed', 'standard', 'custom')),
    add column waits_ms int[] not null default '{}',
    add column sealed_headers text,
    add column rate_per_s int check (rate_per_s > 0),
    add column allowed_per_min int check (allowed_per_min > 0),
    add column fifo boolean not null default false,
    add column fifo_blocks boolean not null default false,
    add column sealed_signing_key text,
    add column request text,
    add column verified_at timestamptz,
    add column verification_error text,
    add column disabled_at timestamptz,
    add column disabled_reason text check (disabled_reason in ('gone', 'failing', 'merchant', 'unverified')),
    add column deleted_at timestamptz;
create index endpoints_of_merchant on webhook_endpoints (merchant_id, mode, created_at desc, id desc);

comment on column webhook_endpoints.waits_ms is 'The waits between the attempts of a custom schedule.';
comment on column webhook_endpoints.sealed_headers is 'A JSON object of texts that every attempt carries, sealed.';
comment on column webhook_endpoints.allowed_per_min is 'Attempts a minute that the receiver allowed when it was verified.';
comment on column webhook_endpoints.sealed_signing_key is 'The ed25519 key of v1a signatures, sealed; null where nobody asked for them.';
comment on column webhook_endpoints.request is 'Hash of the request that made this endpoint, by which its repeat is known.';
comment on column webhook_endpoints.disabled_reason is 'gone: the receiver answered 410; failing: nothing arrived for days; merchant: asked for; unverified: the receiver has not agreed.';
comment on column webhook_endpoints.deleted_at is 'A tombstone stays, by which workers cancel what is still under way (08 R31).';

create table webhook_rotations (
    id text primary key,
    endpoint_id text not null references webhook_endpoints,
    request text not null,
    replaced_secret text,
    at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null
);
create index rotations_of_endpoint on webhook_rotations (endpoint_id, at);
comment on table webhook_rotations is 'Every change of an endpoint''s secret, by its idempotency key. The replaced secret signs beside the new one until it expires, and is forgotten afterwards.';

create view live_webhook_secrets as
select endpoint_id, json_agg(json_build_object('sealed', replaced_secret,
    'expires_at_ms', (extract(epoch from expires_at) * 1000)::bigint) order by at)::text as older_secrets
from webhook_rotations
where replaced_secret is not null and expires_at > now()
group by endpoint_id;
