-- People who left: what became of it, by a keyed MAC of their tracking number.
-- +goose Up
CREATE TABLE departure (key TEXT NOT NULL, version INTEGER NOT NULL, content BLOB NOT NULL, mac BLOB NOT NULL, expires INTEGER NOT NULL, bucket INTEGER NOT NULL, PRIMARY KEY (key, bucket)) STRICT;

-- +goose Down
DROP TABLE departure;
