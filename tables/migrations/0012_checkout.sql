-- Checkout: what a customer is asked to pay, fixed by the merchant's server, and the pages that may
-- show the form. A session's row never changes: which payments it has follows from its id (08 R25).

create table checkout_sessions (
    id text primary key,
    merchant_id text not null references merchants,
    mode text not null check (mode in ('test', 'live')),
    order_id text not null,
    amount bigint not null check (amount > 0),
    currency text not null,
    methods text[] not null check (cardinality(methods) > 0),
    success_url text,
    cancel_url text,
    secret_hash bytea not null,
    actor text not null,
    request text not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null
);
create index checkout_of_order on checkout_sessions (merchant_id, mode, order_id, created_at desc);

comment on column checkout_sessions.secret_hash is 'SHA-256 of the client secret, which opens this session and nothing else.';
comment on column checkout_sessions.actor is 'The API key that asked for it.';
comment on column checkout_sessions.request is 'Hash of the request that made it, by which its repeat is known.';

alter table merchants add column checkout_origins text[] not null default '{}';
comment on column merchants.checkout_origins is 'Origins of the pages that may show the checkout form in a frame.';
