-- The identity providers of departments whose staff sign in there (ADR 37): which
-- configuration is in force, and which waits for a second person.

-- +goose Up
CREATE TABLE staff_department (key TEXT NOT NULL, version INTEGER NOT NULL, content BLOB NOT NULL, mac BLOB NOT NULL, expires INTEGER NOT NULL, bucket INTEGER NOT NULL, PRIMARY KEY (key, bucket)) STRICT;

-- +goose Down
DROP TABLE staff_department;
