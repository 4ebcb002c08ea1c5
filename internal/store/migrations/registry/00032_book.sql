-- What a household holds while somebody of it confirms a booking, and the holds of its
-- last day that came to nothing: one row for each household.
-- +goose Up
CREATE TABLE reserve (household TEXT NOT NULL, version INTEGER NOT NULL, hold TEXT NOT NULL, centre INTEGER NOT NULL, session TEXT NOT NULL, since INTEGER NOT NULL, past TEXT NOT NULL, bucket INTEGER NOT NULL, PRIMARY KEY (household, bucket)) STRICT;
CREATE INDEX reserve_since ON reserve (since);

-- +goose Down
DROP TABLE reserve;
