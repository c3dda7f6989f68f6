-- The request log, when each API key was last used, and whose each row of the audit is.

create table api_requests (
    id text not null,
    at timestamptz not null,
    merchant_id text,
    mode text,
    key_id text,
    method text not null,
    route text not null,
    status int not null,
    code text,
    idempotency text check (idempotency in ('fresh', 'replayed', 'conflict')),
    payment_id text,
    duration_us bigint not null,
    primary key (id, at)
) partition by range (at);
create index api_requests_of_merchant on api_requests (merchant_id, mode, at desc, id desc);
create index api_requests_by_time on api_requests (at desc, id desc);
create table api_requests_rest partition of api_requests default;
comment on table api_requests is 'Requests that changed something or were refused; never a body, a secret or a query. Kept by weeks, as deliveries are (tables/delivery_weeks.py).';
comment on column api_requests.merchant_id is 'Null for who had no key that is known here.';
comment on column api_requests.key_id is 'The API key, or the person who acted through the dashboard.';
comment on column api_requests.code is 'Of the problem that was answered.';
comment on column api_requests.idempotency is 'What became of the client''s Idempotency-Key; null when it sent none.';

create table api_key_uses (
    key_id text primary key,
    used_at timestamptz not null
);
comment on table api_key_uses is 'When each API key was last used, to within seconds; apart from the keys, since every change of those makes all processes read them again.';

alter table audit add column merchant_id text, add column mode text;
create index audit_of_merchant on audit (merchant_id, id desc);
comment on column audit.merchant_id is 'The merchant that the subject belongs to; null for what is of none.';
comment on column audit.mode is 'The mode of the subject; null for what is of both.';
update audit set merchant_id = s.merchant_id, mode = s.mode
from (
    select id, id as merchant_id, null as mode from merchants
    union all select id, merchant_id, mode from api_keys
    union all select id, merchant_id, mode from webhook_endpoints
    union all select id, merchant_id, mode from webhook_replays
) s
where s.id = audit.subject;
