-- The change feed of the slot search. Every insert and update of a session or
-- centre gives the row, in the same transaction, a number above all others of
-- its table, so that a web process finds what others changed by asking for
-- numbers above the last one it saw. It is no clock and no sequence: writers of
-- one database follow each other, so the numbers grow in the order of commits.

-- +goose Up
ALTER TABLE session ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE centre ADD COLUMN changed INTEGER NOT NULL DEFAULT 0;
CREATE INDEX session_changed ON session (changed, session);
CREATE INDEX centre_changed ON centre (changed, centre);

-- +goose StatementBegin
CREATE TRIGGER session_added AFTER INSERT ON session
BEGIN
    UPDATE session SET changed = 1 + (SELECT MAX(changed) FROM session) WHERE session = NEW.session AND bucket = NEW.bucket;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER session_changes AFTER UPDATE ON session WHEN NEW.changed = OLD.changed
BEGIN
    UPDATE session SET changed = 1 + (SELECT MAX(changed) FROM session) WHERE session = NEW.session AND bucket = NEW.bucket;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER centre_added AFTER INSERT ON centre
BEGIN
    UPDATE centre SET changed = 1 + (SELECT MAX(changed) FROM centre) WHERE centre = NEW.centre AND bucket = NEW.bucket;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER centre_changes AFTER UPDATE ON centre WHEN NEW.changed = OLD.changed
BEGIN
    UPDATE centre SET changed = 1 + (SELECT MAX(changed) FROM centre) WHERE centre = NEW.centre AND bucket = NEW.bucket;
END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER centre_changes;
DROP TRIGGER centre_added;
DROP TRIGGER session_changes;
DROP TRIGGER session_added;
DROP INDEX centre_changed;
DROP INDEX session_changed;
ALTER TABLE centre DROP COLUMN changed;
ALTER TABLE session DROP COLUMN changed;
