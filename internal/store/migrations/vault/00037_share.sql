-- The links that open a person's certificate (ADR 43), by person; and what leads to them from a
-- link's secret, of which only a keyed MAC is kept.

-- +goose Up
CREATE TABLE share (key TEXT NOT NULL, version INTEGER NOT NULL, content BLOB NOT NULL, mac BLOB NOT NULL, expires INTEGER NOT NULL, bucket INTEGER NOT NULL, PRIMARY KEY (key, bucket)) STRICT;
CREATE TABLE share_link (key TEXT NOT NULL, version INTEGER NOT NULL, content BLOB NOT NULL, mac BLOB NOT NULL, expires INTEGER NOT NULL, bucket INTEGER NOT NULL, PRIMARY KEY (key, bucket)) STRICT;

-- +goose Down
DROP TABLE share_link;
DROP TABLE share;
