-- The list of unfinished work is asked for every second and leaves seals out, so
-- its index does: neither do seals that were never stored make the list slower,
-- nor does every seal write the index twice.

-- +goose Up
CREATE INDEX task_work ON task (since, id) WHERE kind <> 'seal';
DROP INDEX task_since;
