-- What the live pages are refreshed by.

-- name: dashboard_positions
-- Rises whenever any partition of any topic was worked on.
select coalesce(sum(next_offset), 0)::text as decided, coalesce(sum(published_offset), 0)::text as told
from claims
