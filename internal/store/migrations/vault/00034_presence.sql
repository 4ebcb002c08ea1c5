-- Requests about one person that two members of staff stand behind: break-glass, re-linking.

-- +goose Up
CREATE TABLE presence (key TEXT NOT NULL, version INTEGER NOT NULL, content BLOB NOT NULL, mac BLOB NOT NULL, expires INTEGER NOT NULL, bucket INTEGER NOT NULL, PRIMARY KEY (key, bucket)) STRICT;

-- +goose Down
DROP TABLE presence;
