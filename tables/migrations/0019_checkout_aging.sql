-- Sessions that are over are forgotten after a while, the oldest first.

create index checkout_sessions_over on checkout_sessions (expires_at);
