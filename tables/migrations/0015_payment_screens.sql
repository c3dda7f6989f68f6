-- What the dashboard's screens of payments read: the newest of all merchants, what is in doubt or
-- needs a person, and the searches that people keep.

create index payments_of_mode on payments (mode, created_at desc, id desc);
create index payments_in_doubt on payments (mode, created_at) where state = 'in_doubt';
create index children_of_mode on payment_children (mode, kind, created_at desc, id desc);
create index children_unclear on payment_children (mode, created_at)
    where state in ('in_doubt', 'needs_review');

create table saved_searches (
    person_id text not null,
    name text not null,
    query text not null,
    created_at timestamptz not null default now(),
    primary key (person_id, name)
);
comment on table saved_searches is 'Searches of payments that a person comes back to; nobody else sees them. The dashboard writes it.';
