-- +goose Up
-- What imports of panels did, for who made them; deleted after 30 days.
CREATE TABLE imports (
  id            TEXT PRIMARY KEY,
  customer_id   TEXT NOT NULL REFERENCES customers(id) ON DELETE CASCADE,
  at_ms         INTEGER NOT NULL,
  revision      INTEGER NOT NULL,     -- of the customer's roster with it
  sealed_report BLOB NOT NULL         -- every row and what became of it
);
CREATE INDEX imports_customer ON imports(customer_id, at_ms);

-- +goose Down
DROP TABLE imports;
