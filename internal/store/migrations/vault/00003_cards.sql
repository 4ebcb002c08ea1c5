-- Cards of people, and which sessions were opened at a centre for a day.

-- +goose Up
CREATE TABLE card (key TEXT NOT NULL, version INTEGER NOT NULL, content BLOB NOT NULL, mac BLOB NOT NULL, expires INTEGER NOT NULL, bucket INTEGER NOT NULL, PRIMARY KEY (key, bucket)) STRICT;
CREATE TABLE open_day (key TEXT NOT NULL, version INTEGER NOT NULL, content BLOB NOT NULL, mac BLOB NOT NULL, expires INTEGER NOT NULL, bucket INTEGER NOT NULL, PRIMARY KEY (key, bucket)) STRICT;
CREATE INDEX open_day_expires ON open_day (expires);

-- +goose Down
DROP TABLE open_day;
DROP TABLE card;
