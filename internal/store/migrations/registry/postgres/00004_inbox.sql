-- Doses recorded write-only: sealed to the vault, in the bucket of the centre.
-- person: whom the reference number named when it came, or ''.
-- state: 1 waits for the vault, 2 in a person's record, 3 fits nobody, 4 refused
-- by the vault as no vaccinator's.

-- +goose Up
CREATE TABLE inbox (
    event    TEXT    NOT NULL CHECK (length(event) = 36),
    centre   BIGINT NOT NULL CHECK (centre > 0),
    person   TEXT    NOT NULL,
    sealed   BYTEA    NOT NULL,
    received BIGINT NOT NULL,
    state    BIGINT NOT NULL CHECK (state IN (1, 2, 3, 4)),
    due      BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    bucket   BIGINT NOT NULL CHECK (bucket BETWEEN 0 AND 16383),
    PRIMARY KEY (event, bucket)
);
CREATE INDEX inbox_due ON inbox (due, event) WHERE state = 1;
CREATE INDEX inbox_unmatched ON inbox (centre, received, event, bucket) WHERE state = 3;
CREATE TRIGGER inbox_no_delete BEFORE DELETE ON inbox FOR EACH ROW EXECUTE FUNCTION refuse('recorded doses are never deleted');
CREATE TRIGGER inbox_no_change BEFORE UPDATE ON inbox FOR EACH ROW
    WHEN (NEW.event <> OLD.event OR NEW.centre <> OLD.centre OR NEW.sealed <> OLD.sealed OR NEW.received <> OLD.received OR NEW.bucket <> OLD.bucket)
    EXECUTE FUNCTION refuse('recorded doses are never changed');
