-- Cards of people, and which sessions were opened at a centre for a day.

-- +goose Up
CREATE TABLE card (key TEXT NOT NULL, version BIGINT NOT NULL, content BYTEA NOT NULL, mac BYTEA NOT NULL, expires BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (key, bucket));
CREATE TABLE open_day (key TEXT NOT NULL, version BIGINT NOT NULL, content BYTEA NOT NULL, mac BYTEA NOT NULL, expires BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (key, bucket));
CREATE INDEX open_day_expires ON open_day (expires);
