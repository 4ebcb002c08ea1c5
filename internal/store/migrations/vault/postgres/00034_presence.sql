-- Requests about one person that two members of staff stand behind: break-glass, re-linking.

-- +goose Up
CREATE TABLE presence (key TEXT NOT NULL, version BIGINT NOT NULL, content BYTEA NOT NULL, mac BYTEA NOT NULL, expires BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (key, bucket));
