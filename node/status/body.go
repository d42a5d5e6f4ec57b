package status

import "vedetta/node/readiness"

// Status is the JSON of /status; its keys are a promise. Null is unknown, or
// not there; lists are never null.
type Status struct {
	Node               string             `json:"node"`
	Site               string             `json:"site"`
	PID                int                `json:"pid"`
	Ready              bool               `json:"ready"`
	Reasons            []readiness.Reason `json:"reasons"`
	ListenersOpen      bool               `json:"listeners_open"`
	LeaderOf           []int              `json:"leader_of"` // shards
	AgreementLeader    *string            `json:"agreement_leader"`
	Peers              []Peer             `json:"peers"`
	Lags               map[string]Lag     `json:"lags"`
	Version            string             `json:"version"`
	ClusterVersion     int                `json:"cluster_version"` // of the forms that this mesh writes
	UptimeSeconds      float64            `json:"uptime_seconds"`
	DiskFreeBytes      *int64             `json:"disk_free_bytes"`
	CertificateExpires *string            `json:"certificate_expires"`
	Incarnation        string             `json:"incarnation"`
	Marks              map[string]Mark    `json:"marks"` // origin -> how far it is held here, and durable at a majority

	Time             string      `json:"time"`
	AgreementTerm    *uint64     `json:"agreement_term"`
	AgreementSeen    *float64    `json:"agreement_seen_seconds"` // since the leader was last heard of
	Sites            []Site      `json:"sites"`                  // as the agreement has them
	Shards           []Led       `json:"shards"`                 // who leads which
	Gossip           Gossip      `json:"gossip"`
	Disk             Disk        `json:"disk"`
	Clock            Clock       `json:"clock"`
	Flush            *Flush      `json:"flush"` // null: none since the start
	Open             int         `json:"open_notifications"`
	OldestOpen       float64     `json:"oldest_open_seconds"` // by the agreement's clock; 0 without any
	Supervision      Supervision `json:"supervision"`
	Quarantined      []Isolation `json:"quarantined"`
	DamagedFiles     []string    `json:"damaged_files"`
	DecisionsUnheld  uint64      `json:"decisions_unflushed"`         // applied, but not flushed here without a gap
	CertificateWarns float64     `json:"certificate_warning_seconds"` // before its end a certificate is warned of

	Listeners         []Listener         `json:"listeners"`
	PanelCertificates []PanelCertificate `json:"panel_certificates"` // shown to panels by TLS
	Strangers         Strangers          `json:"strangers"`
	Bans              []Ban              `json:"bans"` // the newest 100; /bans has all
}

// Listener is one address that panels report to; null while it was never bound.
type Listener struct {
	Name      string  `json:"name"`
	Transport string  `json:"transport"` // tcp, udp or tls
	Address   *string `json:"address"`
}

// PanelCertificate is one that panels are shown.
type PanelCertificate struct {
	File    string   `json:"file"`
	Names   []string `json:"names"`
	Expires *string  `json:"expires"`
}

// Strangers is how much is used, and how much of it by whom nobody knows.
type Strangers struct {
	Places      int `json:"places"`      // connections that may be open
	Connections int `json:"connections"` // open
	Unknown     int `json:"unknown"`     // of them, without a known account so far
	Known       int `json:"known"`       // addresses of known panels, of the last day or two
	Banned      int `json:"banned"`      // addresses
}

// Ban is an address that is refused; an address is an IPv4 address or an IPv6 /64.
type Ban struct {
	Address string `json:"address"` // as a network
	Since   string `json:"since"`
	Until   string `json:"until"`
	Why     string `json:"why"`     // the offence that led to it
	Level   int    `json:"level"`   // 1 for the first; each is four times as long
	Refused int64  `json:"refused"` // connections since
}

// Peer is another node as this one sees it.
type Peer struct {
	Name               string   `json:"name"`
	Site               string   `json:"site"` // empty before the first connection
	Connected          bool     `json:"connected"`
	RTT                *float64 `json:"rtt_seconds"`
	ClockOffset        *float64 `json:"clock_offset_seconds"` // its clock minus ours
	LastAnswer         *float64 `json:"last_answer_seconds"`  // ago
	Problem            *string  `json:"problem"`              // why it isn't connected
	CertificateExpires *string  `json:"certificate_expires"`  // of the last one seen
	Copies             *Copies  `json:"copies"`               // null: never compared
	Hint               *Hint    `json:"hint"`                 // by gossip; null: none
}

// Copies is how a peer's copies stand against ours.
type Copies struct {
	Counted bool   `json:"counted"`        // its disk counts for the majority
	Behind  uint64 `json:"behind_entries"` // we have and it lacked, when last told
	Ahead   uint64 `json:"ahead_entries"`  // it has and we lack
}

// Hint is what gossip believes of a node; nothing decides by it.
type Hint struct {
	Alive       bool   `json:"alive"`
	Since       string `json:"since"`       // this node began to believe so
	Incarnation string `json:"incarnation"` // newest start heard of
	Started     string `json:"started"`     // as it says itself
	Version     string `json:"version"`
	FormsMin    int    `json:"forms_min"` // of commands and records that it reads
	FormsMax    int    `json:"forms_max"`
}

// Gossip is whether hints are exchanged.
type Gossip struct {
	Configured bool    `json:"configured"`
	Running    bool    `json:"running"`
	Problem    *string `json:"problem"`
}

// Site is one datacenter of the agreement.
type Site struct {
	Name     string   `json:"name"`
	Nodes    []string `json:"nodes"`    // whose disks count
	Answered bool     `json:"answered"` // within the last 2 s, by a disk that counts
}

// Led is who leads how many shards.
type Led struct {
	Node   *string  `json:"node"` // null: nobody
	Count  int      `json:"count"`
	Ranges []string `json:"ranges"` // "0-20", "33"
}

// Lag is how far a follower is behind; null is unknown.
type Lag struct {
	Entries *uint64  `json:"entries"`
	Seconds *float64 `json:"seconds"`
}

// Mark is how far an origin is held.
type Mark struct {
	Flushed uint64 `json:"flushed"`
	Durable uint64 `json:"durable"`
	Hash    string `json:"hash"` // running hash at Flushed, hex
}

// Disk is the file system of the data folder.
type Disk struct {
	Free       *int64   `json:"free_bytes"`
	Total      *int64   `json:"total_bytes"`
	FreeShare  *float64 `json:"free_share"`  // 0 to 1
	FloorShare float64  `json:"floor_share"` // below it nothing is acknowledged
}

// Clock is this node's against the median of all that answer.
type Clock struct {
	Offset *float64 `json:"offset_seconds"` // null: nobody answers
	Bound  float64  `json:"bound_seconds"`  // beyond it this node isn't ready
}

// Flush is how long the journal's commits took since the start.
type Flush struct {
	Count uint64   `json:"count"`
	Mean  float64  `json:"mean_seconds"`
	P50   *float64 `json:"p50_seconds"` // upper bound of the histogram's bucket; null: above the largest
	P99   *float64 `json:"p99_seconds"`
}

// Supervision is what this node knows of silent panels.
type Supervision struct {
	Panels  int  `json:"panels"`  // in its roster
	Silent  int  `json:"silent"`  // on every path, in the whole mesh
	Judging bool `json:"judging"` // a majority of sites reports, so that silence can be told
}

// Isolation is an origin whose copies differ between nodes.
type Isolation struct {
	Origin string `json:"origin"`
	Why    string `json:"why"`
}
