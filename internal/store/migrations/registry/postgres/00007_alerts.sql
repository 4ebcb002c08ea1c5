-- Where and for what households want to hear of free places. The leave to tell
-- them is in the vault.
-- +goose Up
CREATE TABLE wish (household TEXT NOT NULL, wish TEXT NOT NULL, district BIGINT NOT NULL, pin TEXT NOT NULL, dose BIGINT NOT NULL, product TEXT NOT NULL, until BIGINT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (household, wish, bucket));
CREATE INDEX wish_until ON wish (until);
