package link

import (
	"context"
	"fmt"

	"vedetta/cluster/env"
)

// Client is central's or an operator's side of connections to the nodes. It
// dials all of them and serves nothing.
type Client struct{ e *endpoint }

// NewClient reads the certificates; nothing is opened before Run.
func NewClient(cfg ClientConfig, e env.Env) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("link configuration: %w", err)
	}
	c, err := loadCerts(cfg.CertFile, cfg.KeyFile, cfg.CAFile)
	if err != nil {
		return nil, err
	}
	if c.self.Role == RoleNode {
		return nil, fmt.Errorf("link certificate %s is of %s, want central's or an operator's", cfg.CertFile, c.self)
	}
	p, err := newEndpoint(e, c, "", cfg.Conn, cfg.Nodes)
	if err != nil {
		return nil, err
	}
	return &Client{p}, nil
}

// Self is who this client is, from its certificate.
func (c *Client) Self() Identity { return c.e.self }

// Run holds the connections until ctx ends.
func (c *Client) Run(ctx context.Context) error { return c.e.run(ctx) }

// Open opens a stream to a node that is connected now.
func (c *Client) Open(ctx context.Context, node string, purpose Purpose) (Stream, error) {
	return c.e.openTo(ctx, node, purpose)
}

// Call sends one request to a node and waits for the answer; see Link.Call.
func (c *Client) Call(ctx context.Context, node, method string, req []byte) ([]byte, error) {
	return c.e.call(ctx, node, method, req)
}

// Wait returns when the node is connected or ctx has ended.
func (c *Client) Wait(ctx context.Context, node string) error { return c.e.wait(ctx, node) }

// Status tells how each node stands, by name.
func (c *Client) Status() []PeerStatus { return c.e.status() }

// Reload reads certificate, key and CA again.
func (c *Client) Reload() error { return c.e.certs.reload() }
