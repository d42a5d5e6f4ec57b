package journal

import (
	"errors"
	"fmt"

	"vedetta/wire/mesh"
)

// Errors by which callers decide.
var (
	ErrInUse   = errors.New("data folder is in use by another process")
	ErrStopped = errors.New("journal has stopped")
	ErrGap     = errors.New("record is above the mark + 1")
	ErrExists  = errors.New("data folder already holds a journal")
	ErrMissing = errors.New("data folder holds no journal")
)

// Diverged says that two different records, or two different histories, claim
// the same place. Nothing was stored; the origin needs an operator.
type Diverged struct {
	Origin mesh.Origin
	Number uint64
	Reason string
}

func (d *Diverged) Error() string {
	return fmt.Sprintf("origin %s diverged at number %d: %s", d.Origin, d.Number, d.Reason)
}

// Damaged names a place on this disk that can't be read as it was written.
// Origin and Number are zero when the whole file is meant.
type Damaged struct {
	File   string
	Origin mesh.Origin
	Number uint64
	Err    error
}

func (d *Damaged) Error() string {
	if d.Origin.IsZero() {
		return fmt.Sprintf("file %s is damaged (nothing was deleted): %v", d.File, d.Err)
	}
	return fmt.Sprintf("file %s is damaged at origin %s number %d (nothing was deleted): %v", d.File, d.Origin, d.Number, d.Err)
}

func (d *Damaged) Unwrap() error { return d.Err }
