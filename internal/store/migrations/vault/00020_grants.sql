-- Who may do what in the vault's database, on PostgreSQL. On SQLite the files' owners and
-- the triggers say it; there is nothing to do here.

-- +goose Up
SELECT 1;
