-- What operators have done about dead letters, and what the screen Workers tells of workers.

create table dead_letters_handled (
    topic text not null,
    partition int not null,
    "offset" bigint not null,
    written_ms bigint not null,
    action text not null check (action in ('replayed', 'discarded')),
    actor text not null,
    note text not null default '',
    replayed_to text,
    at timestamptz not null default now(),
    primary key (topic, partition, "offset", written_ms)
);
comment on table dead_letters_handled is 'Dead letters that an operator replayed or discarded. All others are open.';
comment on column dead_letters_handled.written_ms is 'The record''s time: a topic that is made anew begins at offset 0 again.';
comment on column dead_letters_handled.replayed_to is 'Where on the log its record is now.';

alter table instances add column version text;
comment on column instances.version is 'The version of Headgate that runs there.';

alter table claims add column times_taken int not null default 1;
comment on column claims.times_taken is 'How often the partition was given to a process: rises with every start and rebalance.';
