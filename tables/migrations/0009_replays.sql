-- Replays: jobs that make deliveries of past events anew. The edge asks for them, pauses and ends
-- them; notify works on them, page by page.

create table webhook_replays (
    id text primary key,
    merchant_id text not null references merchants,
    mode text not null check (mode in ('test', 'live')),
    endpoint_id text not null,
    which text not null check (which in ('all', 'failed', 'missing')),
    types text[] not null,
    from_at timestamptz not null,
    to_at timestamptz not null,
    rate_per_s int check (rate_per_s > 0),
    dry_run boolean not null,
    request text not null,
    status text not null default 'counting'
        check (status in ('counting', 'sending', 'paused', 'completed', 'canceled')),
    reason text,
    found bigint not null default 0,
    sent bigint not null default 0,
    begins text,
    reached text,
    page_at timestamptz,
    last_page_at timestamptz,
    token uuid,
    due_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    counted_at timestamptz,
    ended_at timestamptz
);
create index replays_of_merchant on webhook_replays (merchant_id, mode, created_at desc, id desc);
create index replays_due on webhook_replays (due_at) where status in ('counting', 'sending');

comment on column webhook_replays.request is 'Hash of the request that asked for this replay, by which its repeat is known.';
comment on column webhook_replays.reason is 'Why it is paused or canceled: merchant, endpoint_disabled or endpoint_deleted.';
comment on column webhook_replays.begins is 'Where both passes begin, counting and sending, and where they end; drawn once.';
comment on column webhook_replays.reached is 'Where the pass goes on; moves only when what lies before it is on the log.';
comment on column webhook_replays.page_at is 'When the page under way was begun: created_at of its deliveries, also if another worker repeats it.';
comment on column webhook_replays.token is 'Fences off a worker whose page took so long that another one has taken it.';
comment on column webhook_replays.due_at is 'When the next page is due; while a worker has it, when another one may take it.';
