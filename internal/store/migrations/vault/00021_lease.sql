-- Which vault may write, where several processes can reach this database: term
-- grows with every change of hands, beat while the holder lives. On SQLite the
-- lock of the data folder says it and the table stays empty.

-- +goose Up
CREATE TABLE lease (name TEXT NOT NULL PRIMARY KEY, term INTEGER NOT NULL, holder TEXT NOT NULL, beat INTEGER NOT NULL) STRICT;

-- +goose Down
DROP TABLE lease;
