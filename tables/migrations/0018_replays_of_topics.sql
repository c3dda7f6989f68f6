-- Replays of topics: load that a tool sends, told here while it runs, so that others can follow it
-- and ask it to stop. Nothing reads this to decide anything.

create table replays_of_topics (
    run_id text primary key,
    started_by text not null,
    source text not null,
    options jsonb not null,
    state text not null default 'running' check (state in ('running', 'stopped', 'done', 'failed')),
    progress jsonb not null default '{}',
    verdict jsonb,
    stop_requested boolean not null default false,
    began_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
create index replays_of_topics_by_time on replays_of_topics (began_at desc, run_id desc);

comment on table replays_of_topics is 'Runs of `headgate replay`; each writes its own row once a second while it can.';
comment on column replays_of_topics.state is 'What the run said last. A run that is killed says nothing: updated_at tells.';
comment on column replays_of_topics.options is 'What the command line said, without secrets.';
