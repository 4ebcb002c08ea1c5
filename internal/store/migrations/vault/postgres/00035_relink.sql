-- What a re-link needs only while it waits (ADR 41): the new number, sealed, and keyed tags of the document.

-- +goose Up
CREATE TABLE relink (key TEXT NOT NULL, version BIGINT NOT NULL, content BYTEA NOT NULL, mac BYTEA NOT NULL, expires BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (key, bucket));
