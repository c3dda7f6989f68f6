-- What merchants have set for the simulated bank. The edge writes it; workers read it with the rest
-- of the configuration.

create table acquirer_knobs (
    merchant_id text primary key references merchants,
    knobs jsonb not null,
    updated_at timestamptz not null default now()
);
comment on table acquirer_knobs is 'How slow, faulty or away the simulated bank is for a merchant''s test payments (08 R24). No row: as the settings say.';
