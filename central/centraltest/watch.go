package centraltest

import (
	"context"
	"io"
	"net"
)

// Watch is a node's side of a watch: it serves the stream until it ends.
type Watch func(ctx context.Context, stream net.Conn) error

// SetWatch gives a node of the mesh its side; nil: the node can't be reached.
func (m *Mesh) SetWatch(node string, w Watch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.watches == nil {
		m.watches = map[string]Watch{}
	}
	m.watches[node] = w
}

// OpenWatch opens a watch at one node.
func (m *Mesh) OpenWatch(ctx context.Context, node string) (io.ReadWriteCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.watches[node]
	if w == nil || m.down {
		return nil, ErrDown
	}
	here, there := net.Pipe()
	m.feeds = append(m.feeds, here)
	go func() {
		defer here.Close()
		w(context.WithoutCancel(ctx), here) //nolint:errcheck // the other side sees the end
	}()
	return there, nil
}
