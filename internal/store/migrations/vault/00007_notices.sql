-- Messages to people that wait to be sent, and who wants to hear of free places.
-- +goose Up
-- A notice's key begins with the time it is due, so that the first rows are the next ones.
CREATE TABLE notice (key TEXT NOT NULL, version INTEGER NOT NULL, content BLOB NOT NULL, mac BLOB NOT NULL, expires INTEGER NOT NULL, bucket INTEGER NOT NULL, PRIMARY KEY (key, bucket)) STRICT;
CREATE TABLE alert (key TEXT NOT NULL, version INTEGER NOT NULL, content BLOB NOT NULL, mac BLOB NOT NULL, expires INTEGER NOT NULL, bucket INTEGER NOT NULL, PRIMARY KEY (key, bucket)) STRICT;
CREATE TABLE place (key TEXT NOT NULL, version INTEGER NOT NULL, content BLOB NOT NULL, mac BLOB NOT NULL, expires INTEGER NOT NULL, bucket INTEGER NOT NULL, PRIMARY KEY (key, bucket)) STRICT;
CREATE INDEX notice_expires ON notice (expires);
CREATE INDEX alert_expires ON alert (expires);
CREATE INDEX place_expires ON place (expires);

-- +goose Down
DROP TABLE place;
DROP TABLE alert;
DROP TABLE notice;
