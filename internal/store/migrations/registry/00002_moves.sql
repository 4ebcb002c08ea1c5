-- A hold that moves an appointment names it: whoever ends the hold must know
-- that an old appointment stands behind it.

-- +goose Up
ALTER TABLE hold ADD COLUMN old TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE hold DROP COLUMN old;
