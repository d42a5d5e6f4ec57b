package history

import "vedetta/wire/event"

// meaning says what a code means, by the row of the code and the message's
// qualifier; empty when the table has no such code.
func meaning(standard, code, qualifier string) (english, italian string) {
	r, ok := event.Lookup(event.Standard(standard), code)
	if !ok {
		return "", ""
	}
	if event.Qualifier(qualifier) == event.Restore && r.Restored != "" {
		return r.Restored, r.RestoredIT
	}
	return r.Meaning, r.MeaningIT
}
