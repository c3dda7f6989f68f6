-- The first schema. `settle` alone writes payments, facts and operations; `notify` alone writes
-- deliveries and attempts; the edge alone writes configuration.

create table instances (
    id text primary key,
    incarnation int not null,
    role text not null,
    host text not null,
    pid int not null,
    started_at timestamptz not null,
    beat_at timestamptz not null,
    partitions jsonb not null default '{}',
    problem text
);
comment on table instances is 'Worker processes by stable instance id; a newer incarnation deposes an older one (08 R2, R7).';

create table claims (
    topic text not null,
    partition int not null,
    token uuid not null,
    owner text not null,
    next_offset bigint not null,
    published_offset bigint not null,
    taken_at timestamptz not null default now(),
    primary key (topic, partition)
);
comment on table claims is 'Fencing tokens and the position of each partition: decided up to next_offset, outputs acked up to published_offset (08 R1, R3, R4).';

create table payments (
    id text primary key,
    merchant_id text not null,
    mode text not null,
    version int not null,
    status text not null,
    state text not null,
    amount bigint not null check (amount > 0),
    currency text not null,
    method text not null,
    order_id text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    record jsonb not null
);
create index payments_of_merchant on payments (merchant_id, mode, created_at desc, id desc);
create index payments_of_order on payments (order_id text_pattern_ops);

create table facts (
    payment_id text not null,
    sequence int not null,
    event_id text not null unique,
    type text not null,
    payload bytea not null,
    created_at timestamptz not null,
    primary key (payment_id, sequence)
);

create table operations (
    command_id text primary key,
    payment_id text not null,
    merchant_id text not null,
    type text not null,
    fingerprint text,
    refusal text,
    first_sequence int not null,
    last_sequence int not null,
    requests jsonb not null,
    partition int not null,
    "offset" bigint not null,
    created_at timestamptz not null
);
create index operations_of_payment on operations (payment_id);
comment on table operations is 'One row per command, refusals included (08 R10). Facts first_sequence to last_sequence and requests are its outputs.';

create table acquirer_attempts (
    attempt_id text not null,
    look int not null,
    payment_id text not null,
    sent_at timestamptz not null default now(),
    answer jsonb,
    primary key (attempt_id, look)
);
comment on table acquirer_attempts is 'Written before and after each call, so that a crash in between leads to an inquiry, never to a blind second charge.';

create table configuration (
    only_row boolean primary key default true check (only_row),
    version bigint not null default 1,
    born_at timestamptz not null default now(),
    redis_token text
);
insert into configuration default values;
comment on table configuration is 'version rises with every change of merchants, keys and endpoints; redis_token names the Redis data that has been there since the first payment (08 R13).';

create table merchants (
    id text primary key,
    name text not null,
    email text not null unique,
    require_keys boolean not null default false,
    created_at timestamptz not null default now()
);

create table api_keys (
    id text primary key,
    merchant_id text not null references merchants,
    mode text not null check (mode in ('test', 'live')),
    secret_hash bytea not null unique,
    created_at timestamptz not null default now(),
    revoked_at timestamptz
);
comment on column api_keys.secret_hash is 'SHA-256 of the secret; the secret itself is shown once and never stored.';

create table webhook_endpoints (
    id text primary key,
    merchant_id text not null references merchants,
    mode text not null check (mode in ('test', 'live')),
    is_default boolean not null default false,
    url text not null,
    sealed_secret text not null,
    event_types text[] not null,
    enabled boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create unique index default_endpoint on webhook_endpoints (merchant_id, mode) where is_default;

create table audit (
    id bigint generated always as identity primary key,
    at timestamptz not null default now(),
    actor text not null,
    action text not null,
    subject text not null,
    change jsonb not null
);

create table webhook_deliveries (
    id text primary key,
    event_id text not null,
    endpoint_id text not null,
    merchant_id text not null,
    mode text not null,
    payment_id text not null,
    type text not null,
    status text not null default 'pending',
    attempts int not null default 0,
    last_attempt_at timestamptz,
    next_retry_at timestamptz,
    response_code int,
    response_body text,
    created_at timestamptz not null
);
create index deliveries_of_merchant on webhook_deliveries (merchant_id, mode, created_at desc, id desc);
create index deliveries_of_payment on webhook_deliveries (payment_id);

create table webhook_attempts (
    delivery_id text not null,
    token text not null,
    attempt int not null,
    manual boolean not null,
    kind text not null,
    status_code int,
    error text,
    answer text not null,
    started_at timestamptz not null,
    duration_ms int not null,
    next_attempt int,
    next_at timestamptz,
    primary key (delivery_id, token)
);
