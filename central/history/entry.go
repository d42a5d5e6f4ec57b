package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"vedetta/wire/mesh"
)

// OfEntry finds the event of a customer that came of a journal entry, and
// whether the entry only repeats it; empty: there is none, or not yet.
func (h *History) OfEntry(ctx context.Context, customer string, entry mesh.Position) (event string, repeats bool, err error) {
	err = h.db.Read().QueryRowContext(ctx, `WITH RECURSIVE first(origin, number, depth) AS (
		SELECT ?2, ?3, 0 UNION
		SELECT e.copy_origin, e.copy_number, first.depth + 1 FROM first JOIN entries e ON e.origin = first.origin AND e.number = first.number
			WHERE e.copy_origin IS NOT NULL AND first.depth < 100)
		SELECT events.id, first.depth > 0 FROM first JOIN events ON events.entry_origin = first.origin AND events.entry_number = first.number
			WHERE events.customer_id = ?1 ORDER BY first.depth DESC, events.seq LIMIT 1`, customer, entry.Origin.String(), entry.Number).Scan(&event, &repeats)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	} else if err != nil {
		return "", false, fmt.Errorf("find event of an entry: %w", err)
	}
	return event, repeats, nil
}
