package intake

import (
	"hash/maphash"
	"sync/atomic"
	"time"

	"vedetta/wire/dc09"
	"vedetta/wire/entry"
	"vedetta/wire/roster"
)

// ring is a panel's keys, made ready: the current one, then next and previous.
// It belongs to one version of the panel's document.
type ring struct {
	panel *roster.Panel
	keys  [3]*dc09.Cipher // in the order of ringWords; nil: none
	until time.Time       // of the previous key
}

var ringWords = [3]string{"", entry.KeyNext, entry.KeyPrevious}

// rings keeps those that were used last. A panel's slot hangs on its place in
// memory, and so is another after each change; what was there before is dropped.
// 4096 of them are about 5 MiB: making one anew takes less than a microsecond, and
// a million panels' would take half a gigabyte.
type rings struct {
	seed  maphash.Seed
	slots [4096]atomic.Pointer[ring]
}

func (r *rings) of(p *roster.Panel) *ring {
	slot := &r.slots[maphash.Comparable(r.seed, p)%uint64(len(r.slots))]
	if had := slot.Load(); had != nil && had.panel == p {
		return had
	}
	made := &ring{panel: p}
	set := p.Settings()
	made.until = time.UnixMilli(set.PreviousUntilMs)
	for i, key := range [3][]byte{p.Key, set.NextKey, set.PreviousKey} {
		if len(key) > 0 {
			made.keys[i], _ = dc09.NewCipher(key) // of a wrong length: central refuses such a key, and nil opens nothing
		}
	}
	slot.Store(made)
	return made
}

// open reads the content with the key that fits, and says which that was. The
// plaintext is appended to buf. An answer has to use the same key.
func (r *ring) open(f dc09.Frame, buf []byte, now time.Time) (c dc09.Content, key *dc09.Cipher, which string, err error) {
	if !f.Encrypted {
		c, err = f.Open(buf, nil)
		return c, nil, "", err
	}
	err = dc09.ErrUndecryptable
	for i, k := range r.keys {
		if k == nil || i == 2 && !now.Before(r.until) {
			continue
		}
		if c, err = f.Open(buf, k); err == nil {
			return c, k, ringWords[i], nil
		}
	}
	return dc09.Content{}, nil, "", err
}

// empty tells that there is nothing to open a message with.
func (r *ring) empty() bool { return r.keys == [3]*dc09.Cipher{} }
