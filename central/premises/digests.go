package premises

import (
	"sync"

	"vedetta/wire/seal"
)

// digests remembers the digests of parts by revision and key, so that a large
// roster is not read and hashed whole at every comparison.
type digests struct {
	mu   sync.Mutex // guards the map
	list map[digestOf]digested
}

type digestOf struct {
	customer string
	part     int
}

type digested struct {
	revision uint64
	key      seal.KeyID
	digest   []byte
}

// maxDigests bounds the memory; beyond it all is forgotten and made again.
const maxDigests = 20_000

func (d *digests) of(customer string, p partRevision, key seal.KeyID) ([]byte, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	v, ok := d.list[digestOf{customer, p.number}]
	return v.digest, ok && v.revision == p.revision && v.key == key
}

func (d *digests) keep(customer string, p partRevision, key seal.KeyID, digest []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.list == nil || len(d.list) >= maxDigests {
		d.list = map[digestOf]digested{}
	}
	d.list[digestOf{customer, p.number}] = digested{p.revision, key, digest}
}
