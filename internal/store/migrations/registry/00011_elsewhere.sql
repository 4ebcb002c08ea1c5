-- Doses recorded write-only whose centre was mistyped: in the bucket of the centre
-- that works on it, which row of inbox to read. state as there: 3 waits for two
-- people, 2 is in a person's record.

-- +goose Up
CREATE TABLE inbox_elsewhere (
    event    TEXT    NOT NULL CHECK (length(event) = 36),
    centre   INTEGER NOT NULL CHECK (centre > 0),
    typed    INTEGER NOT NULL CHECK (typed > 0),
    received INTEGER NOT NULL,
    state    INTEGER NOT NULL CHECK (state IN (2, 3)),
    bucket   INTEGER NOT NULL CHECK (bucket BETWEEN 0 AND 16383),
    PRIMARY KEY (event, bucket)
) STRICT;
CREATE INDEX inbox_elsewhere_open ON inbox_elsewhere (centre, received, event, bucket) WHERE state = 3;
-- +goose StatementBegin
CREATE TRIGGER inbox_elsewhere_no_delete BEFORE DELETE ON inbox_elsewhere
BEGIN SELECT RAISE(ABORT, 'recorded doses are never deleted'); END;
-- +goose StatementEnd

-- +goose Down
DROP TABLE inbox_elsewhere;
