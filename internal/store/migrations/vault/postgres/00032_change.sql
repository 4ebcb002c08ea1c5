-- What two people agree on before the vault does it: policies, budgets, roster mode of a
-- centre; and which of these changes are not over.

-- +goose Up
CREATE TABLE change (key TEXT NOT NULL, version BIGINT NOT NULL, content BYTEA NOT NULL, mac BYTEA NOT NULL, expires BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (key, bucket));
