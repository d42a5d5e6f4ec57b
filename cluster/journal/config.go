package journal

import (
	"errors"
	"time"
)

// Config is the journal's part of a program's configuration.
type Config struct {
	// Dir is the data folder. It must have been made with Create.
	Dir string
	// LockWait is how long Open waits for another process to release the
	// folder. Zero means 2 s: a killed predecessor may still be going away.
	LockWait time.Duration
	// PendingBytes bounds the decisions that wait above a gap (rule 16); what
	// comes beyond is dropped and arrives by catch-up. Zero means 32 MiB.
	PendingBytes int
}

// Limits of one commit; the sources are measurements of group commit on bbolt.
const (
	maxBatchItems   = 2048
	maxBatchBytes   = 256 << 10
	maxCatchUpItems = 256 // delays an alarm by less than 2 ms
	maxFlush        = 3 * time.Second
)

// Validate refuses what can't work and says what was expected.
func (c Config) Validate() error {
	if c.Dir == "" {
		return errors.New("journal.dir is empty, want the data folder")
	}
	if c.LockWait < 0 || c.PendingBytes < 0 {
		return errors.New("journal: want no negative lock_wait or pending_bytes")
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.LockWait == 0 {
		c.LockWait = 2 * time.Second
	}
	if c.PendingBytes == 0 {
		c.PendingBytes = 32 << 20
	}
	return c
}

// Lane orders what waits for the disk.
type Lane int

const (
	LaneLive    Lane = iota // alarms: own, from peers, and decisions
	LaneCatchUp             // what could have come earlier
)
