-- +goose Up
-- A customer's roster goes down in parts: 0 holds contacts, rules and the first
-- panels, each further part a few hundred panels. revision is that of the
-- customer when the part was last changed.
CREATE TABLE roster_parts (
  customer_id   TEXT NOT NULL REFERENCES customers(id) ON DELETE CASCADE,
  part          INTEGER NOT NULL,
  revision      INTEGER NOT NULL,
  PRIMARY KEY (customer_id, part)
);
INSERT INTO roster_parts(customer_id, part, revision) SELECT id, 0, revision FROM customers WHERE revision > 0;
ALTER TABLE panels ADD COLUMN part INTEGER NOT NULL DEFAULT 0;
CREATE INDEX panels_part ON panels(customer_id, part);
ALTER TABLE outbox ADD COLUMN part INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE outbox DROP COLUMN part;
DROP INDEX panels_part;
ALTER TABLE panels DROP COLUMN part;
DROP TABLE roster_parts;
