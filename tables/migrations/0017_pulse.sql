-- The screen Now asks for what was made in the last minutes, of all merchants. Rows come in about
-- the order of time, so a BRIN index of a few pages finds them and costs writers next to nothing.

create index payments_by_time on payments
    using brin (created_at) with (pages_per_range = 16, autosummarize = on);
create index deliveries_by_time on webhook_deliveries
    using brin (created_at) with (pages_per_range = 16, autosummarize = on);
