-- What two people agree on before the vault does it: policies, budgets, roster mode of a
-- centre; and which of these changes are not over.

-- +goose Up
CREATE TABLE change (key TEXT NOT NULL, version INTEGER NOT NULL, content BLOB NOT NULL, mac BLOB NOT NULL, expires INTEGER NOT NULL, bucket INTEGER NOT NULL, PRIMARY KEY (key, bucket)) STRICT;

-- +goose Down
DROP TABLE change;
