package wording

import (
	"sync"
	"time"
)

// Zones keeps time zones that were read, since reading one opens a file.
type Zones struct{ known sync.Map } // name -> *time.Location

// load returns the zone, or UTC when there is no such name.
func (z *Zones) load(name string) *time.Location {
	if l, ok := z.known.Load(name); ok {
		return l.(*time.Location)
	}
	l, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return time.UTC
	}
	z.known.Store(name, l)
	return l
}
