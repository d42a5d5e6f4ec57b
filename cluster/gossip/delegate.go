package gossip

import (
	"fmt"
	"time"

	"github.com/hashicorp/memberlist"

	"vedetta/wire/mesh"
)

// delegate is what memberlist asks and tells. It is called with memberlist's
// locks held and never waits.
type delegate struct {
	g     *Gossip
	about []byte
}

// NodeMeta is what this node says of itself.
func (d delegate) NodeMeta(int) []byte { return d.about }

// The rest of memberlist.Delegate: nothing else is carried.
func (delegate) NotifyMsg([]byte)                {}
func (delegate) GetBroadcasts(int, int) [][]byte { return nil }
func (delegate) LocalState(bool) []byte          { return nil }
func (delegate) MergeRemoteState([]byte, bool)   {}

// NotifyAlive refuses what is said about nodes that aren't configured.
func (d delegate) NotifyAlive(n *memberlist.Node) error {
	_, _, err := d.read(n)
	if err != nil {
		d.g.metrics.refused.Inc()
	}
	return err
}

// NotifyJoin notes who seems alive.
func (d delegate) NotifyJoin(n *memberlist.Node) {
	if o, about, err := d.read(n); err == nil {
		d.g.table.alive(time.Now(), o, about)
	}
}

// NotifyUpdate notes other words of one that was alive already.
func (d delegate) NotifyUpdate(n *memberlist.Node) { d.NotifyJoin(n) }

// NotifyLeave notes who seems dead.
func (d delegate) NotifyLeave(n *memberlist.Node) {
	if o, err := mesh.ParseOrigin(n.Name); err == nil {
		d.g.table.gone(time.Now(), o)
	}
}

func (d delegate) read(n *memberlist.Node) (mesh.Origin, About, error) {
	o, err := mesh.ParseOrigin(n.Name)
	if err != nil {
		return o, About{}, fmt.Errorf("gossip about %.80q: want an origin", n.Name)
	}
	if !d.g.table.configured(o.Node) {
		return o, About{}, fmt.Errorf("gossip about %s: want a configured node", o)
	}
	about, err := decodeAbout(n.Meta)
	return o, about, err
}
