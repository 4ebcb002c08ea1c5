-- As 00011_elsewhere.sql for SQLite.

-- +goose Up
CREATE TABLE inbox_elsewhere (
    event    TEXT   NOT NULL CHECK (length(event) = 36),
    centre   BIGINT NOT NULL CHECK (centre > 0),
    typed    BIGINT NOT NULL CHECK (typed > 0),
    received BIGINT NOT NULL,
    state    BIGINT NOT NULL CHECK (state IN (2, 3)),
    bucket   BIGINT NOT NULL CHECK (bucket BETWEEN 0 AND 16383),
    PRIMARY KEY (event, bucket)
);
CREATE INDEX inbox_elsewhere_open ON inbox_elsewhere (centre, received, event, bucket) WHERE state = 3;
CREATE TRIGGER inbox_elsewhere_no_delete BEFORE DELETE ON inbox_elsewhere
FOR EACH ROW EXECUTE FUNCTION refuse('recorded doses are never deleted');
