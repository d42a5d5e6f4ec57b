-- +goose Up
-- The user's choice of language; empty: none, the browser's is taken.
ALTER TABLE users ADD COLUMN language TEXT NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE users DROP COLUMN language;
