package consensus

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/raft"

	"vedetta/cluster/journal"
	"vedetta/wire/mesh"
)

// Member is a node with the disk it stands on.
type Member struct {
	Node string
	Disk string
	Site string
}

// ID is the member's Raft id and address (rule 28).
func (m Member) ID() string { return m.Node + "/" + m.Disk }

// Server is a member as Raft's configuration has it.
type Server struct {
	Node  string
	Disk  string
	Voter bool
}

// ID is the server's Raft id and address.
func (s Server) ID() string { return s.Node + "/" + s.Disk }

// nodeOf is the node's name in an id.
func nodeOf(id string) string {
	node, _, _ := strings.Cut(id, "/")
	return node
}

// Journal is what peers were seen to hold, and what this node holds.
// *journal.Journal is one.
type Journal interface {
	Seen(node string) []journal.Seen
	Marks() map[mesh.Origin]uint64
}

// Config is what consensus is told.
type Config struct {
	Dir  string // Raft's own folder; in no backup (rule 32)
	Self Member

	Peers []string // names of the other configured nodes
	Sites []string // all configured sites, this one's among them

	// Founding are the members that first made the mesh, the same at all of
	// them; looked at only when Dir is empty. One voter per site: the first by name.
	Founding []Member

	SnapshotThreshold uint64 // entries between snapshots; 8192 when 0
	TrailingLogs      uint64 // entries kept behind a snapshot for slow peers; 10240 when 0
}

// Validate says what is wrong.
func (c Config) Validate() error {
	var errs []error
	if c.Dir == "" {
		errs = append(errs, errors.New("dir: want a folder"))
	}
	if !mesh.ValidNode(c.Self.Node) || c.Self.Disk == "" || strings.Contains(c.Self.Disk, "/") || len(c.Self.ID()) > 255 {
		errs = append(errs, fmt.Errorf("self %q: want node and disk id", c.Self.ID()))
	}
	if !slices.Contains(c.Sites, c.Self.Site) {
		errs = append(errs, fmt.Errorf("sites %q: want this node's site %q among them", c.Sites, c.Self.Site))
	}
	if slices.Contains(c.Peers, c.Self.Node) {
		errs = append(errs, fmt.Errorf("peers: %s is this node itself", c.Self.Node))
	}
	return errors.Join(errs...)
}

// founding is the first configuration: the same bytes at every founding member.
func (c Config) founding() raft.Configuration {
	members := slices.Clone(c.Founding)
	slices.SortFunc(members, func(a, b Member) int { return strings.Compare(a.ID(), b.ID()) })
	var out raft.Configuration
	voting := map[string]bool{}
	for _, m := range members {
		s := raft.Server{ID: raft.ServerID(m.ID()), Address: raft.ServerAddress(m.ID()), Suffrage: raft.Nonvoter}
		if !voting[m.Site] {
			voting[m.Site], s.Suffrage = true, raft.Voter
		}
		out.Servers = append(out.Servers, s)
	}
	return out
}
