package membership

import (
	"testing"

	"vedetta/cluster/consensus"
	"vedetta/cluster/replica"
	"vedetta/wire/decision"
)

// TestRule28_ReplacedDiskIsAdmittedStepByStep walks a node through all steps: it
// never counts before it holds everything, and never votes before it counts.
func TestRule28_ReplacedDiskIsAdmittedStepByStep(t *testing.T) {
	voter := func(node, disk string) consensus.Server {
		return consensus.Server{Node: node, Disk: disk, Voter: true}
	}
	mute := consensus.Server{Node: "roubaix", Disk: "new"}
	old := decision.Member{Node: "roubaix", Disk: "old", Site: "roubaix"}
	now := decision.Member{Node: "roubaix", Disk: "new", Site: "roubaix"}
	tests := []struct {
		name    string
		member  decision.Member
		servers []consensus.Server
		peer    replica.PeerStatus
		want    Action
	}{
		{"as ever", old, []consensus.Server{voter("roubaix", "old")}, replica.PeerStatus{Disk: "old"}, Action{}},
		{"as ever, behind", old, []consensus.Server{voter("roubaix", "old")}, replica.PeerStatus{Disk: "old", Behind: 9}, Action{}},
		{"new disk", old, []consensus.Server{voter("roubaix", "old")}, replica.PeerStatus{Disk: "new", Behind: 9}, Action{Add: "roubaix/new"}},
		{"added, catching up", old, []consensus.Server{voter("roubaix", "old"), mute}, replica.PeerStatus{Disk: "new", Behind: 9}, Action{}},
		{"caught up", old, []consensus.Server{voter("roubaix", "old"), mute}, replica.PeerStatus{Disk: "new"}, Action{Admit: &now}},
		{"admitted", now, []consensus.Server{voter("roubaix", "old"), mute}, replica.PeerStatus{Disk: "new"}, Action{Replace: [2]string{"roubaix/old", "roubaix/new"}}},
		{"old one taken out, then the leader died", now, []consensus.Server{mute}, replica.PeerStatus{Disk: "new"}, Action{Replace: [2]string{"", "roubaix/new"}}},
		{"another node of the site has the vote", now, []consensus.Server{mute, voter("roubaix2", "x")}, replica.PeerStatus{Disk: "new"}, Action{}},
		{"done", now, []consensus.Server{voter("roubaix", "new")}, replica.PeerStatus{Disk: "new"}, Action{}},
		{"unknown node", decision.Member{Node: "limburg"}, nil, replica.PeerStatus{Disk: "x"}, Action{}},
	}
	for _, tt := range tests {
		tt.peer.Name, tt.peer.Connected = "roubaix", true
		got := Next(Facts{Members: []decision.Member{tt.member, {Node: "roubaix2", Disk: "x", Site: "roubaix"}}, Servers: tt.servers, Peers: []replica.PeerStatus{tt.peer}})
		same := got.Add == tt.want.Add && got.Replace == tt.want.Replace && (got.Admit == nil) == (tt.want.Admit == nil)
		if !same || got.Admit != nil && *got.Admit != *tt.want.Admit {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
		if tt.want.Admit != nil {
			ahead := replica.PeerStatus{Name: "limburg", Connected: true, Counted: true, Ahead: 1}
			if got := Next(Facts{Members: []decision.Member{tt.member}, Servers: tt.servers, Peers: []replica.PeerStatus{tt.peer, ahead}}); !got.None() {
				t.Errorf("%s: this leader lags, and yet %+v", tt.name, got)
			}
		}
		tt.peer.Connected = false
		if got := Next(Facts{Members: []decision.Member{tt.member, {Node: "roubaix2", Disk: "x", Site: "roubaix"}}, Servers: tt.servers, Peers: []replica.PeerStatus{tt.peer}}); !got.None() {
			t.Errorf("%s: not connected, and yet %+v", tt.name, got)
		}
	}
}
