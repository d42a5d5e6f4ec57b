// Package watch shows the attempts of one panel to get through, of all
// datacenters at once, to whom the panel belongs: what the nodes keep, and then
// what comes, each with its sentence and, once it is known, its event.
//
// It promises: a datacenter that can't be reached is named, not left out; a
// viewer who is slow holds up his own streams only; what a viewer may see of
// attempts that name no known panel is the nodes' to say, by the addresses that
// are proven here (Addresses). It keeps nothing; its goroutines live in a call.
package watch

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"vedetta/central/history"
	"vedetta/cluster/env"
	"vedetta/wire/mesh"
	wire "vedetta/wire/watch"
)

// Mesh opens a watch stream at one node by name. Nodes are all that are
// configured. Closing the stream ends a read or write that waits.
type Mesh interface {
	Nodes() []string
	OpenWatch(ctx context.Context, node string) (io.ReadWriteCloser, error)
}

const (
	openWithin   = 3 * time.Second  // until a node has taken the request
	recentWithin = 5 * time.Second  // until a node has told what it keeps
	again        = 2 * time.Second  // until a node that went is asked again
	aliveEvery   = 10 * time.Second // between signs of life to a viewer
	settleEvery  = 300 * time.Millisecond
	settleWithin = 30 * time.Second // an event that isn't known by then isn't looked for any more
	lineBytes    = 256 << 10        // longest line of a node
	queue        = 64               // attempts that wait for a viewer, of all nodes
	perCustomer  = 8                // viewers at once
	inAll        = 48               // less than a node takes (watch.viewers)
)

// Watch asks the nodes.
type Watch struct {
	cfg     Config
	mesh    Mesh
	history *history.History
	env     env.Env

	mu      sync.Mutex     // guards viewers
	viewers map[string]int // by customer
	all     int
}

// Config of the watch.
type Config struct {
	AllowPrivate bool // private and loopback addresses prove something too; true in local up only
}

// New starts nothing.
func New(cfg Config, m Mesh, h *history.History, e env.Env) *Watch {
	return &Watch{cfg: cfg, mesh: m, history: h, env: e, viewers: map[string]int{}}
}

// View is what is to be shown.
type View struct {
	Customer  string
	Panel     string   // roster id
	Addresses []string // see Addresses
	All       bool     // an operator: every attempt at every node
	Account   string   // with All: only what names or resembles it
}

// Node is how one datacenter's node stands in a view.
type Node struct {
	Node        string `json:"node"`
	Site        string `json:"site"`         // empty while the node was never reached
	Watching    bool   `json:"watching"`     // false: what comes there isn't seen
	KeepSeconds int    `json:"keep_seconds"` // how long it keeps what it refused
}

// Update is something to tell a viewer; all empty is a sign of life.
type Update struct {
	Attempt *wire.Attempt
	Again   bool   // Attempt was told before, and its event is known now
	Nodes   []Node // how all stand, when that has changed
	Lost    int    // attempts that were not seen because the viewer was too slow
}

// ErrBusy says that as many viewers as there may be are watching.
var ErrBusy = fmt.Errorf("watch: too many viewers at once, want at most %d of a customer", perCustomer)

// Recent lists what the nodes keep, newest first, and how they stand.
func (w *Watch) Recent(ctx context.Context, v View) ([]wire.Attempt, []Node, error) {
	if err := w.enter(v.Customer); err != nil {
		return nil, nil, err
	}
	defer w.leave(v.Customer)
	ctx, cancel := context.WithTimeout(ctx, recentWithin)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	list, nodes := []wire.Attempt{}, w.nobody()
	for i, name := range w.mesh.Nodes() {
		wg.Go(func() {
			var own []wire.Attempt
			var ready *wire.Ready
			err := w.ask(ctx, name, v, false, func(l wire.Line) bool {
				if l.Attempt != nil {
					own = append(own, *l.Attempt)
				}
				ready = l.Ready
				return ready == nil
			})
			mu.Lock()
			defer mu.Unlock()
			if err == nil && ready != nil {
				nodes[i] = Node{name, ready.Site, true, ready.KeepSeconds}
				list = append(list, own...)
			}
		})
	}
	wg.Wait()
	slices.SortStableFunc(list, func(a, b wire.Attempt) int { return time.Time(b.Time).Compare(time.Time(a.Time)) })
	for i := range list {
		if _, err := w.settle(ctx, v.Customer, &list[i]); err != nil {
			return nil, nil, err
		}
	}
	return list, nodes, nil
}

// Follow tells what the nodes keep and what comes, until ctx ends or fn fails.
func (w *Watch) Follow(ctx context.Context, v View, fn func(Update) error) error {
	if err := w.enter(v.Customer); err != nil {
		return err
	}
	defer w.leave(v.Customer)
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	said := make(chan told, queue)
	for i, name := range w.mesh.Nodes() {
		wg.Go(func() { w.keep(ctx, i, name, v, said) })
	}
	f := &follower{w: w, view: v, fn: fn, nodes: w.nobody()}
	alive, settle := time.NewTicker(aliveEvery), time.NewTicker(settleEvery)
	defer alive.Stop()
	defer settle.Stop()
	if err := fn(Update{Nodes: slices.Clone(f.nodes)}); err != nil {
		return err
	}
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case t := <-said:
			err = f.tell(ctx, t)
		case <-settle.C:
			err = f.settle(ctx)
		case <-alive.C:
			err = fn(Update{})
		}
		if err != nil {
			return err
		}
	}
}

// told is one line of a node; a zero line says that its stream has ended.
type told struct {
	node int
	name string
	line wire.Line
}

// keep watches at one node until ctx ends, again and again.
func (w *Watch) keep(ctx context.Context, i int, name string, v View, to chan<- told) {
	for ctx.Err() == nil {
		say := func(l wire.Line) bool {
			select {
			case to <- told{i, name, l}:
				return true
			case <-ctx.Done():
				return false
			}
		}
		err := w.ask(ctx, name, v, true, func(l wire.Line) bool {
			return l.Attempt == nil && l.Lost == 0 && l.Ready == nil || say(l)
		})
		if ctx.Err() != nil || !say(wire.Line{}) {
			return
		}
		w.env.Log.Debug("watch at a node ended", "node", name, "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}

// ask opens a stream at a node and hands on its lines until fn says no.
func (w *Watch) ask(ctx context.Context, node string, v View, follow bool, fn func(wire.Line) bool) error {
	opening, cancel := context.WithTimeout(ctx, openWithin)
	s, err := w.mesh.OpenWatch(opening, node)
	cancel()
	if err != nil {
		return err
	}
	defer s.Close()                                      //nolint:errcheck // it ends either way
	defer context.AfterFunc(ctx, func() { s.Close() })() //nolint:errcheck // it ends either way
	b, err := json.Marshal(wire.Ask{Version: wire.Version, Customer: v.Customer, Panel: v.Panel, Addresses: v.Addresses, All: v.All, Account: v.Account, Follow: follow})
	if err != nil {
		return err
	}
	if _, err := s.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("ask %s: %w", node, err)
	}
	lines := bufio.NewScanner(s)
	lines.Buffer(nil, lineBytes)
	for lines.Scan() {
		var l wire.Line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return fmt.Errorf("watch at %s: %w", node, err)
		}
		if l.Version != wire.Version {
			return fmt.Errorf("watch at %s: version %d, want %d", node, l.Version, wire.Version)
		}
		if !fn(l) {
			return nil
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("watch at %s: %w", node, err)
	}
	return io.ErrUnexpectedEOF
}

// settle adds an attempt's event, when there is one, and its sentences.
func (w *Watch) settle(ctx context.Context, customer string, a *wire.Attempt) (found bool, err error) {
	if a.Entry != nil && a.Relation == wire.Own {
		place, err := mesh.ParsePosition(*a.Entry)
		if err != nil {
			return false, fmt.Errorf("attempt %s: %w", a.ID, err)
		}
		event, repeats, err := w.history.OfEntry(ctx, customer, place)
		if err != nil {
			return false, err
		}
		if found = event != ""; found {
			a.EventID, a.Copy = &event, &repeats
		}
	}
	wire.Explain(a)
	return found, nil
}

func (w *Watch) nobody() []Node {
	var out []Node
	for _, name := range w.mesh.Nodes() {
		out = append(out, Node{Node: name})
	}
	return out
}

func (w *Watch) enter(customer string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.viewers[customer] >= perCustomer || w.all >= inAll {
		return ErrBusy
	}
	w.viewers[customer]++
	w.all++
	return nil
}

func (w *Watch) leave(customer string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all--
	if w.viewers[customer]--; w.viewers[customer] == 0 {
		delete(w.viewers, customer)
	}
}
