package node

import (
	"context"
	"net"
	"time"

	"vedetta/cluster/env"
	"vedetta/cluster/gossip"
	"vedetta/node/status"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
)

// lowestForms is the lowest version of commands and records that is still read.
const lowestForms = 1

// rumours is gossip as the wiring and the status report see it, and nobody
// else: what decides must not. The zero value is gossip switched off.
type rumours struct{ g *gossip.Gossip }

// rumours makes gossip, when it is configured.
func (c Config) rumours(self mesh.Origin, e env.Env) (rumours, error) {
	if c.Mesh.Gossip.Listen == "" {
		return rumours{}, nil
	}
	g, err := gossip.New(gossip.Config{
		Self: self, Listen: c.Mesh.Gossip.Listen, Peers: c.gossipPeers(), KeyringFile: c.Mesh.Gossip.KeyringFile,
		About: gossip.About{Site: c.Site, Version: version(), Forms: gossip.Forms{Min: lowestForms, Max: decision.Version}, Started: time.Now().Truncate(time.Second)},
	}, e)
	return rumours{g}, err
}

// gossipPeers is where the other nodes listen for gossip.
func (c Config) gossipPeers() map[string]string {
	_, port, _ := net.SplitHostPort(c.Mesh.Gossip.Listen) // the configuration was checked
	out := map[string]string{}
	for name, address := range c.Mesh.Peers {
		host, _, _ := net.SplitHostPort(address)
		out[name] = net.JoinHostPort(host, port)
		if own, ok := c.Mesh.Gossip.Peers[name]; ok {
			out[name] = own
		}
	}
	return out
}

// Run gossips until ctx ends; nothing that happens there stops the node.
func (r rumours) Run(ctx context.Context) error {
	if r.g == nil {
		<-ctx.Done()
		return nil
	}
	return r.g.Run(ctx)
}

// Reload reads the keyring again.
func (r rumours) Reload() error {
	if r.g == nil {
		return nil
	}
	return r.g.Reload()
}

// status is what the report shows: hints by node.
func (r rumours) status() (status.Gossip, map[string]*status.Hint) {
	if r.g == nil {
		return status.Gossip{}, nil
	}
	st := r.g.Status()
	out := status.Gossip{Configured: true, Running: st.Running}
	if st.Problem != "" {
		out.Problem = &st.Problem
	}
	hints := map[string]*status.Hint{}
	for _, h := range st.Hints {
		if h.Heard {
			hints[h.Node] = &status.Hint{
				Alive: h.Alive, Since: *stamp(h.Since), Incarnation: h.Incarnation.String(), Started: *stamp(h.About.Started),
				Version: h.About.Version, FormsMin: int(h.About.Forms.Min), FormsMax: int(h.About.Forms.Max),
			}
		}
	}
	return out, hints
}
