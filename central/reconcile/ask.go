package reconcile

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"vedetta/wire/mesh"
)

// Mesh asks one node by name. Nodes are all that are configured.
type Mesh interface {
	Nodes() []string
	Ask(ctx context.Context, node, method string, request []byte) ([]byte, error)
}

const (
	marksMethod  = "central.marks"
	marksVersion = 1
	askWithin    = 10 * time.Second
)

// ask asks every node at once; one that doesn't answer in time has not answered.
func ask(ctx context.Context, m Mesh, held map[mesh.Origin]Held, customers []string) (map[string]NodeFacts, error) {
	at := map[mesh.Origin]uint64{}
	for o, h := range held {
		at[o] = h.Number
	}
	request, err := json.Marshal(struct {
		Version   int                    `json:"version"`
		At        map[mesh.Origin]uint64 `json:"at"`
		Customers []string               `json:"customers"`
	}{marksVersion, at, customers})
	if err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	out := map[string]NodeFacts{}
	for _, name := range m.Nodes() {
		wg.Go(func() {
			facts := NodeFacts{}
			if answer, err := m.Ask(bounded, name, marksMethod, request); err == nil {
				facts = read(answer)
			}
			mu.Lock()
			defer mu.Unlock()
			out[name] = facts
		})
	}
	wg.Wait()
	return out, ctx.Err()
}

// read takes an answer; one of another form is none.
func read(answer []byte) NodeFacts {
	var in struct {
		Version int `json:"version"`
		Origins map[mesh.Origin]struct {
			Mark    uint64 `json:"mark"`
			Durable uint64 `json:"durable"`
			AtHash  []byte `json:"at_hash"`
		} `json:"origins"`
		Documents map[string]struct {
			Revision uint64 `json:"revision"`
			Digest   []byte `json:"digest"`
		} `json:"documents"`
	}
	if err := json.Unmarshal(answer, &in); err != nil || in.Version != marksVersion {
		return NodeFacts{}
	}
	f := NodeFacts{Answered: true, Origins: map[mesh.Origin]NodeOrigin{}, Documents: map[string]NodeDocument{}}
	for o, m := range in.Origins {
		f.Origins[o] = NodeOrigin(m)
	}
	for c, d := range in.Documents {
		f.Documents[c] = NodeDocument(d)
	}
	return f
}

// waitFor is for what is asked again shortly.
func waitFor(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
