-- Keys that may do some things only, that are replaced with an overlap, and merchants that are put
-- on hold.

alter table merchants add column active boolean not null default true;
comment on column merchants.active is 'A merchant that is not active may read what it has; its keys can change nothing.';

-- The default gives the keys that exist what they could do before; a new key names its scopes.
alter table api_keys
    add column name text,
    add column scopes text[] not null default '{payments:read,payments:write,refunds:write,events:read,webhooks:read,webhooks:write,keys:read,keys:write,test:write}',
    add column rate_per_s int check (rate_per_s > 0),
    add column strict_parameters boolean not null default false,
    add column expires_at timestamptz,
    add column replaced_by text references api_keys,
    add column request text;
alter table api_keys alter column scopes drop default;
create index api_keys_of_merchant on api_keys (merchant_id, mode, created_at desc, id desc);

comment on column api_keys.rate_per_s is 'Writes a second that this key may make; null is the default of its mode.';
comment on column api_keys.expires_at is 'The end of the overlap in which a rotated key still works.';
comment on column api_keys.replaced_by is 'The key that a rotation made in place of this one.';
comment on column api_keys.request is 'Hash of the request that made this key, by which its repeat is known.';
