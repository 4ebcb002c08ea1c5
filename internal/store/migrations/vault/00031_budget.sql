-- Budgets of codeless openings: of members of staff, centres, hours; which centres may
-- open from their day's list; what tripped.

-- +goose Up
CREATE TABLE budget (key TEXT NOT NULL, version INTEGER NOT NULL, content BLOB NOT NULL, mac BLOB NOT NULL, expires INTEGER NOT NULL, bucket INTEGER NOT NULL, PRIMARY KEY (key, bucket)) STRICT;

-- +goose Down
DROP TABLE budget;
