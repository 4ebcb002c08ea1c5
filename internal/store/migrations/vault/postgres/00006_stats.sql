-- Counts for the public dashboard: doses and registrations by cell, no person.
-- +goose Up
CREATE TABLE stat (key TEXT NOT NULL, version BIGINT NOT NULL, content BYTEA NOT NULL, mac BYTEA NOT NULL, expires BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (key, bucket));
