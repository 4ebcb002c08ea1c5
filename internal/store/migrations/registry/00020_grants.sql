-- Who may do what in the registry, on PostgreSQL. On SQLite the files' owners and
-- the triggers say it; there is nothing to do here.

-- +goose Up
SELECT 1;
