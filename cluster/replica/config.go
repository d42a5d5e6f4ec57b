package replica

import (
	"context"
	"fmt"
	"time"

	"vedetta/cluster/link"
	"vedetta/wire/mesh"
)

// Config is the replica's part of a program's configuration.
type Config struct {
	Node string // this node's name
	Site string // this node's site
	// Grace is how long live delivery may take to close a gap before a catch-up
	// begins. Zero means 50 ms. Nothing is waited for when the origin's node is
	// not connected.
	Grace time.Duration
	// AgreementGrace is the same for decisions, which every node makes itself
	// as it applies them. Zero means 500 ms.
	AgreementGrace time.Duration
	// TableInterval is how often the whole table of marks is compared. Zero means 10 s.
	TableInterval time.Duration
}

const (
	maxCatchUps   = 4                // at once
	retryAfter    = time.Second      // the same origin from the same peer
	streamTimeout = 10 * time.Second // silence of a catch-up
	answerTimeout = 2 * time.Second  // a site is reachable when it answered within
	maxLiveQueue  = 16 << 20         // bytes that wait for one peer; more is left to catch-up
	pullPause     = 5 * time.Millisecond
)

// Validate refuses what can't work and says what was expected.
func (c Config) Validate() error {
	if !mesh.ValidNode(c.Node) || !mesh.ValidNode(c.Site) {
		return fmt.Errorf("replica: node %q, site %q, want 1 to 32 of a-z, 0-9, dash", c.Node, c.Site)
	}
	if c.Grace < 0 || c.AgreementGrace < 0 || c.TableInterval < 0 {
		return fmt.Errorf("replica: want no negative durations")
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.Grace == 0 {
		c.Grace = 50 * time.Millisecond
	}
	if c.AgreementGrace == 0 {
		c.AgreementGrace = 500 * time.Millisecond
	}
	if c.TableInterval == 0 {
		c.TableInterval = 10 * time.Second
	}
	return c
}

// Link is what the replica needs of package link.
type Link interface {
	// Handle serves streams that peers open; ctx ends with the connection.
	Handle(purpose link.Purpose, roles []string, fn func(ctx context.Context, from link.Identity, s link.Stream) error)
	// OnConnect runs fn for the life of every connection with a node, never two for one peer.
	OnConnect(fn func(ctx context.Context, peer link.Identity))
	// Open opens a stream to a connected node.
	Open(ctx context.Context, peer string, purpose link.Purpose) (link.Stream, error)
	// Status tells which peers answer.
	Status() []link.PeerStatus
}
