-- People who left: what became of it, by a keyed MAC of their tracking number.
-- +goose Up
CREATE TABLE departure (key TEXT NOT NULL, version BIGINT NOT NULL, content BYTEA NOT NULL, mac BYTEA NOT NULL, expires BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (key, bucket));
