package central

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"vedetta/cluster/link"
)

// mesh is the nodes as one: a call or a feed goes to any of them that is
// connected, the last good one first. All of central's calls may be repeated.
type mesh struct {
	client *link.Client
	nodes  []string

	mu   sync.Mutex
	good string // answered last
}

func newMesh(c *link.Client, nodes map[string]string) *mesh {
	m := &mesh{client: c}
	for name := range nodes {
		m.nodes = append(m.nodes, name)
	}
	slices.Sort(m.nodes)
	return m
}

func (m *mesh) order() []string {
	m.mu.Lock()
	good := m.good
	m.mu.Unlock()
	list := slices.Clone(m.nodes)
	slices.SortStableFunc(list, func(a, b string) int {
		switch {
		case a == good && b != good:
			return -1
		case b == good && a != good:
			return 1
		}
		return strings.Compare(a, b)
	})
	return list
}

func (m *mesh) prefer(node string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.good = node
}

// Call asks the nodes in turn until one answers.
func (m *mesh) Call(ctx context.Context, method string, request []byte) ([]byte, error) {
	var errs []error
	for _, node := range m.order() {
		answer, err := m.client.Call(ctx, node, method, request)
		if err == nil {
			m.prefer(node)
			return answer, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", node, err))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(errs...)
}

// Nodes are the names of all that are configured.
func (m *mesh) Nodes() []string { return slices.Clone(m.nodes) }

// Ask calls a method at one node.
func (m *mesh) Ask(ctx context.Context, node, method string, request []byte) ([]byte, error) {
	return m.client.Call(ctx, node, method, request)
}

// OpenFeed opens a feed at the first node that takes it.
func (m *mesh) OpenFeed(ctx context.Context) (io.ReadWriteCloser, error) {
	var errs []error
	for _, node := range m.order() {
		s, err := m.client.Open(ctx, node, link.PurposeFeed)
		if err == nil {
			return &feed{s, func() { m.avoid(node) }}, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", node, err))
	}
	return nil, errors.Join(errs...)
}

// OpenWatch opens a watch at one node.
func (m *mesh) OpenWatch(ctx context.Context, node string) (io.ReadWriteCloser, error) {
	s, err := m.client.Open(ctx, node, link.PurposeWatch)
	if err != nil {
		return nil, err
	}
	return &feed{s, func() {}}, nil
}

// avoid lets the next feed begin with another node than the one that ended.
func (m *mesh) avoid(node string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.Index(m.nodes, node)
	m.good = m.nodes[(i+1)%len(m.nodes)]
}

// feed closes at once, also beside a write.
type feed struct {
	link.Stream
	ended func()
}

func (f *feed) Close() error {
	f.Abort()
	f.ended()
	return nil
}
