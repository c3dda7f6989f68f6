-- People who sign in to the dashboard, and their sessions.

create table people (
    id text primary key,
    email text not null unique check (email = lower(email)),
    name text not null,
    kind text not null check (kind in ('operator', 'merchant_user')),
    merchant_id text references merchants,
    password_hash text not null,
    theme text not null default 'system' check (theme in ('system', 'light', 'dark')),
    created_at timestamptz not null default now(),
    disabled_at timestamptz,
    check ((kind = 'merchant_user') = (merchant_id is not null))
);
create index people_of_merchant on people (merchant_id) where merchant_id is not null;
comment on column people.password_hash is 'argon2id, with its salt and parameters.';
comment on column people.merchant_id is 'Whose rows the person sees; null for operators, who see all.';

create table sessions (
    id bytea primary key,
    person_id text not null references people,
    csrf text not null,
    mode text not null check (mode in ('test', 'live')),
    created_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    expires_at timestamptz not null
);
create index sessions_of_person on sessions (person_id);
create index sessions_by_expiry on sessions (expires_at);
comment on column sessions.id is 'SHA-256 of the secret in the cookie; the secret itself is never stored.';
comment on column sessions.csrf is 'What every form of this session sends back.';

create table sign_in_attempts (
    id bigint generated always as identity primary key,
    bucket text not null,
    at timestamptz not null default now()
);
create index sign_in_attempts_of_bucket on sign_in_attempts (bucket, at);
create index sign_in_attempts_by_age on sign_in_attempts (at);
comment on table sign_in_attempts is 'Sign-ins that were not taken, or not yet: what the limits count.';
comment on column sign_in_attempts.bucket is 'An address, or the hash of an e-mail address as it was typed.';
