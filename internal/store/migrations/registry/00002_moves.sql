-- A hold that moves an appointment names it: whoever ends the hold must know
-- that an old appointment stands behind it. Fences, which say nothing once no
-- request can be under way any more, may be deleted; appointments never.

-- +goose Up
ALTER TABLE hold ADD COLUMN old TEXT NOT NULL DEFAULT '';
CREATE INDEX idempotency_created ON idempotency (created);
CREATE INDEX appointment_fence ON appointment (created) WHERE state = 9;

DROP TRIGGER appointment_no_delete;
-- +goose StatementBegin
CREATE TRIGGER appointment_no_delete BEFORE DELETE ON appointment WHEN OLD.state <> 9
BEGIN SELECT RAISE(ABORT, 'appointments are never deleted'); END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER appointment_no_delete;
-- +goose StatementBegin
CREATE TRIGGER appointment_no_delete BEFORE DELETE ON appointment
BEGIN SELECT RAISE(ABORT, 'appointments are never deleted'); END;
-- +goose StatementEnd
DROP INDEX appointment_fence;
DROP INDEX idempotency_created;
ALTER TABLE hold DROP COLUMN old;
