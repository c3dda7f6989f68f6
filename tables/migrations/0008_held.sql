-- What lanes hold: deliveries whose endpoint is shut, crowded, disabled, unknown, or takes them one
-- by one. They are told on webhooks.attempts before they are acknowledged, so this table can be
-- made again from the log.
create table held_deliveries (
    delivery_id text not null,
    chain text not null,
    endpoint_id text not null,
    partition int not null,
    position bigint not null,
    token text not null,
    attempt int not null,
    hold int not null,
    released int not null default 0,
    why text not null,
    fifo boolean not null,
    wanted jsonb not null,
    body bytea not null,
    held_since timestamptz not null,
    primary key (delivery_id, chain)
);
create index held_of_endpoint on held_deliveries (partition, endpoint_id, position);
create index held_by_age on held_deliveries (held_since);
comment on column held_deliveries.chain is 'Empty for the schedule, which never forks; the token of an attempt that a person asked for.';
comment on column held_deliveries.position is 'Place in its partition of webhooks.ready when it was held first: the order in which it leaves.';
comment on column held_deliveries.hold is 'How often this attempt was held. released = hold: it is on its way; a crash in between sends it twice, never not at all.';
comment on column held_deliveries.wanted is 'The wanted attempt as webhooks.ready has it, its body beside it: what is released carries all that posting needs.';
comment on column held_deliveries.held_since is 'When this attempt, or one before it in its chain, was held first: its window counts from here, not from the event, which may have been late.';
