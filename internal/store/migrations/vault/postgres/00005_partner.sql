-- +goose Up
-- Partner applications and what each may ask for.
CREATE TABLE partner (key TEXT NOT NULL, version BIGINT NOT NULL, content BYTEA NOT NULL, mac BYTEA NOT NULL, expires BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (key, bucket));
