// Package silence asks the mesh when a panel was last heard and whether it is
// silent, for the page and the API. The events of silence are history's; this is
// how things stand now. It keeps nothing and starts no goroutine; what can't be
// known is said to be unknown.
package silence

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"vedetta/central/history"
	"vedetta/wire/heard"
)

// askWithin is how long the mesh is waited for.
const askWithin = 2 * time.Second

// Mesh calls any node.
type Mesh interface {
	Call(ctx context.Context, method string, request []byte) ([]byte, error)
}

// State is how a panel stands, as the outside reads it.
type State struct {
	Known       bool          `json:"known"`         // false: no node could say, all below is null or empty
	Supervised  bool          `json:"supervised"`    // its silence is told
	LastHeard   *history.Time `json:"last_heard"`    // null: never, or not since Counted
	Primary     *history.Time `json:"primary"`       // last message on the primary path
	Alternative *history.Time `json:"alternative"`   // null without such a path, too
	Counted     *history.Time `json:"counted_since"` // what was before isn't known: all datacenters were started then; null: what is said is all
	Silent      []string      `json:"silent"`        // of primary alternative all never
	SilentSince *history.Time `json:"silent_since"`
}

// Of asks about a panel; the error says why State is unknown.
func Of(ctx context.Context, m Mesh, panel string) (State, error) {
	unknown := State{Silent: []string{}}
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	req, err := json.Marshal(heard.Request{Panels: []string{panel}})
	if err != nil {
		return unknown, err
	}
	b, err := m.Call(ctx, heard.Method, req)
	if err != nil {
		return unknown, fmt.Errorf("ask when a panel was heard: %w", err)
	}
	now := time.Now()
	var a heard.Answer
	if err := json.Unmarshal(b, &a); err != nil {
		return unknown, fmt.Errorf("ask when a panel was heard: %w", err)
	}
	if !a.Judging || len(a.Panels) != 1 {
		return unknown, nil
	}
	p := a.Panels[0]
	s := State{Known: true, Supervised: p.Supervised, Primary: ago(now, p.PrimaryMs), Alternative: ago(now, p.AlternativeMs), Counted: ago(now, p.CountedMs), Silent: []string{}}
	s.LastHeard = s.Primary
	if s.LastHeard == nil || s.Alternative != nil && time.Time(*s.Alternative).After(time.Time(*s.LastHeard)) {
		s.LastHeard = s.Alternative
	}
	if p.SilentSinceMs > 0 {
		since := history.Time(time.UnixMilli(p.SilentSinceMs))
		s.Silent, s.SilentSince = p.Silent, &since
	}
	return s, nil
}

func ago(now time.Time, ms *int64) *history.Time {
	if ms == nil {
		return nil
	}
	t := history.Time(now.Add(-time.Duration(*ms) * time.Millisecond))
	return &t
}
