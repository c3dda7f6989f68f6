-- Captures, voids, refunds, reversals and increments, and what the edge answers about a command.
-- `settle` alone writes them.

create table payment_children (
    id text primary key,
    payment_id text not null,
    merchant_id text not null,
    mode text not null,
    kind text not null check (kind in ('capture', 'void', 'refund', 'reversal', 'increment')),
    state text not null,
    amount bigint not null check (amount > 0),
    currency text not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    snapshot jsonb not null
);
create index children_of_payment on payment_children (payment_id, created_at, id);
create index children_of_merchant on payment_children (merchant_id, mode, kind, created_at desc, id desc);
create index children_to_review on payment_children (created_at) where state = 'needs_review';
comment on column payment_children.snapshot is 'The child as merchants see it; the copy that decisions are made from travels in payments.record.';

alter table operations
    add column mode text not null default 'test',
    add column key_id text,
    add column actor text,
    add column request_id text,
    add column result bytea;
alter table operations alter column mode drop default;
create index operations_of_key on operations (key_id) where key_id is not null;
create index operations_of_merchant on operations (merchant_id, mode, partition, "offset");
comment on column operations.key_id is 'The client''s key, derived; of creates it is the payment id and null here (01 §7.4).';
comment on column operations.result is 'JSON: what the edge answers, or why the command was refused; null for creates and for what is not a client''s.';
