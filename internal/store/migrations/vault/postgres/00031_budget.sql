-- Budgets of codeless openings: of members of staff, centres, hours; which centres may
-- open from their day's list; what tripped.

-- +goose Up
CREATE TABLE budget (key TEXT NOT NULL, version BIGINT NOT NULL, content BYTEA NOT NULL, mac BYTEA NOT NULL, expires BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (key, bucket));
