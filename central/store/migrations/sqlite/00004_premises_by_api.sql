-- +goose Up
-- Listener and account of a panel under central's key: finds the panels of all
-- customers that a message with this account could be taken for. NULL in rows
-- that are older than the column.
ALTER TABLE panels ADD COLUMN number_index BLOB;
CREATE INDEX panels_number ON panels(number_index);

CREATE INDEX outbox_customer ON outbox(customer_id, revision);

-- Answers to requests with an Idempotency-Key, written with what they did and
-- kept for a day.
CREATE TABLE idempotency (
  customer_id   TEXT NOT NULL REFERENCES customers(id) ON DELETE CASCADE,
  key_index     BLOB NOT NULL,        -- method, path and the client's key, under the customer's key
  request_index BLOB NOT NULL,        -- the request's body, under the customer's key
  sealed_answer BLOB NOT NULL,
  created_ms    INTEGER NOT NULL,
  PRIMARY KEY (customer_id, key_index)
);
CREATE INDEX idempotency_created ON idempotency(created_ms);

-- +goose Down
DROP TABLE idempotency;
DROP INDEX outbox_customer;
DROP INDEX panels_number;
ALTER TABLE panels DROP COLUMN number_index;
