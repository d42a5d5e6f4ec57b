package alerting

import (
	"sync"
	"time"

	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// Bounds of recordKeys.
const (
	keepRecordKeys = time.Minute // what was derived from a destroyed key is gone after it
	maxRecordKeys  = 20_000
)

// recordKeys keeps what was derived from keys to open many records. The zero
// value is ready.
type recordKeys struct {
	mu    sync.RWMutex // guards both
	keys  map[recordKeyOf]*seal.RecordKey
	since time.Time // of the oldest
}

type recordKeyOf struct {
	key    seal.Key
	origin mesh.Origin
}

func (r *recordKeys) of(k seal.Key, o mesh.Origin) *seal.RecordKey {
	at := recordKeyOf{k, o}
	r.mu.RLock()
	have := r.keys[at]
	r.mu.RUnlock()
	if have != nil {
		return have
	}
	have = k.For(o)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.keys == nil || len(r.keys) >= maxRecordKeys {
		r.keys = make(map[recordKeyOf]*seal.RecordKey)
	}
	r.keys[at] = have
	return have
}

// age drops all, once in keepRecordKeys.
func (r *recordKeys) age(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.since) >= keepRecordKeys {
		r.keys, r.since = nil, now
	}
}
