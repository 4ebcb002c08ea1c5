-- What a re-link needs only while it waits (ADR 41): the new number, sealed, and keyed tags of the document.

-- +goose Up
CREATE TABLE relink (key TEXT NOT NULL, version INTEGER NOT NULL, content BLOB NOT NULL, mac BLOB NOT NULL, expires INTEGER NOT NULL, bucket INTEGER NOT NULL, PRIMARY KEY (key, bucket)) STRICT;

-- +goose Down
DROP TABLE relink;
