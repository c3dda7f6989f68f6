-- Runs of `headgate replay` (tables/topic_replays.py).

-- name: topic_replay_begun
insert into replays_of_topics (run_id, started_by, source, options)
values ($1, $2, $3, $4)
on conflict (run_id) do update
set state = 'running', stop_requested = false, updated_at = now()

-- name: topic_replay_told
update replays_of_topics
set state = $2, progress = $3, verdict = coalesce($4, verdict), updated_at = now()
where run_id = $1
returning stop_requested

-- name: topic_replay_stop
update replays_of_topics set stop_requested = true
where run_id = $1 and state = 'running'
returning run_id

-- name: topic_replay
select * from replays_of_topics where run_id = $1

-- name: topic_replays
select * from replays_of_topics order by began_at desc, run_id desc limit $1
