-- What the public dashboard shows of a day: rounded cells, as JSON. All rows are in
-- one bucket: there is one of each day.
-- +goose Up
CREATE TABLE report (report TEXT NOT NULL, day TEXT NOT NULL, body TEXT NOT NULL, bucket BIGINT NOT NULL, PRIMARY KEY (report, day, bucket));
