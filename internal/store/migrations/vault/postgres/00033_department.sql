-- The identity providers of departments whose staff sign in there (ADR 37): which
-- configuration is in force, and which waits for a second person.

-- +goose Up
CREATE TABLE staff_department (key TEXT NOT NULL, version BIGINT NOT NULL, content BYTEA NOT NULL, mac BYTEA NOT NULL, expires BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (key, bucket));
