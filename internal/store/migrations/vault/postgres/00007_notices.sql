-- Messages to people that wait to be sent, and who wants to hear of free places.
-- +goose Up
-- A notice's key begins with the time it is due, so that the first rows are the next ones.
CREATE TABLE notice (key TEXT NOT NULL, version BIGINT NOT NULL, content BYTEA NOT NULL, mac BYTEA NOT NULL, expires BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (key, bucket));
CREATE TABLE alert (key TEXT NOT NULL, version BIGINT NOT NULL, content BYTEA NOT NULL, mac BYTEA NOT NULL, expires BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (key, bucket));
CREATE TABLE place (key TEXT NOT NULL, version BIGINT NOT NULL, content BYTEA NOT NULL, mac BYTEA NOT NULL, expires BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (key, bucket));
CREATE INDEX notice_expires ON notice (expires);
CREATE INDEX alert_expires ON alert (expires);
CREATE INDEX place_expires ON place (expires);
