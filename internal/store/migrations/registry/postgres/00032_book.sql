-- What a household holds while somebody of it confirms a booking, and the holds of its
-- last day that came to nothing: one row for each household.
-- +goose Up
CREATE TABLE reserve (household TEXT NOT NULL, version BIGINT NOT NULL, hold TEXT NOT NULL, centre BIGINT NOT NULL, session TEXT NOT NULL, since BIGINT NOT NULL, past TEXT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (household, bucket));
CREATE INDEX reserve_since ON reserve (since);
GRANT DELETE ON reserve TO tikakosh_worker;
