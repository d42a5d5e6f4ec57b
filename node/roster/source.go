package roster

import (
	"vedetta/node/agreement"
	"vedetta/wire/seal"
)

// FromView is the Source that this node's applied agreement is.
type FromView struct{ *agreement.View }

// Documents is Source.
func (v FromView) Documents(after uint64) (changed []Document, count int, index uint64) {
	docs, count, index := v.View.DocumentsAfter(after)
	for of, d := range docs {
		changed = append(changed, Document{Customer: of.Customer, Part: of.Part, Revision: d.Revision, Index: d.Index, Sealed: d.Sealed})
	}
	return changed, count, index
}

// HasDocument is Source.
func (v FromView) HasDocument(customer string) bool { _, ok := v.Document(customer, 0); return ok }

// CustomerKey is Source.
func (v FromView) CustomerKey(customer string) (seal.Key, bool) {
	k, state := v.View.CustomerKey(customer)
	return k, state == agreement.KeyPresent
}
