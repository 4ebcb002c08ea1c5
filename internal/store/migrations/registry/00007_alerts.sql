-- Where and for what households want to hear of free places. The leave to tell
-- them is in the vault.
-- +goose Up
CREATE TABLE wish (household TEXT NOT NULL, wish TEXT NOT NULL, district INTEGER NOT NULL, pin TEXT NOT NULL, dose INTEGER NOT NULL, product TEXT NOT NULL, until INTEGER NOT NULL, bucket INTEGER NOT NULL, PRIMARY KEY (household, wish, bucket)) STRICT;
CREATE INDEX wish_until ON wish (until);

-- +goose Down
DROP TABLE wish;
