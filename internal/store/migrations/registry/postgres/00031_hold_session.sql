-- Who is expected at a session: the day's list asks by session.

-- +goose Up
CREATE INDEX hold_session ON hold (session, bucket) WHERE state = 2;
