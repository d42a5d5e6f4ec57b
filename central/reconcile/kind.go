package reconcile

import "time"

// Kind says what differs. The words are a promise: metrics and the API show them.
type Kind string

// Kinds of differences.
const (
	EntryMissing   Kind = "entry_missing"   // the cursor has passed it, it isn't stored
	EntryDamaged   Kind = "entry_damaged"   // it isn't what the running hash says
	EntryUndecided Kind = "entry_undecided" // durable, and nothing was decided about it

	DecisionMissing Kind = "decision_missing"
	DecisionDamaged Kind = "decision_damaged"
	DecisionStuck   Kind = "decision_stuck" // waits for its entry, plan, customer or key, or could not be applied

	RulingDiffers Kind = "ruling_differs"
	EventMissing  Kind = "event_missing"
	EventDiffers  Kind = "event_differs"
	EventExtra    Kind = "event_undecided" // shown, and nothing was decided that makes it
	CopiesDiffer  Kind = "copies_miscounted"

	NotificationMissing Kind = "notification_missing"
	NotificationDiffers Kind = "notification_differs"
	NotificationExtra   Kind = "notification_unplanned"

	OutcomeOverdue   Kind = "outcome_overdue"
	OutcomeUnclaimed Kind = "outcome_unclaimed"
	ClaimedTwice     Kind = "claimed_twice"
	OutcomeUnknown   Kind = "outcome_unknown"
	OutcomeDouble    Kind = "outcome_double"

	IngestBehind Kind = "ingest_behind"
	NodeBehind   Kind = "node_behind"
	NodeSilent   Kind = "node_silent"
	HashDiffers  Kind = "hash_differs"
	MeshBehind   Kind = "mesh_behind" // central holds what no node holds

	RosterBehind  Kind = "roster_behind"
	RosterDiffers Kind = "roster_differs"
)

// Severity of a case.
type Severity string

// Fault is for somebody to repair; Know is a fact that nobody can change.
const (
	Fault Severity = "fault"
	Know  Severity = "to_know"
)

// Owner is whose a case is.
type Owner string

// Owners: who runs the nodes, who runs central, and the customer.
const (
	OwnerMesh     Owner = "mesh"
	OwnerCentral  Owner = "central"
	OwnerCustomer Owner = "customer"
)

// spec is what stands behind a kind. The sentence says what is wrong, Advice
// what to do, both for who reads a terminal at night.
type spec struct {
	severity Severity
	owner    Owner
	bound    func(Bounds) time.Duration // how long it must stand; nil: it is a case at once
	sentence string
	advice   string
}

const rebuild = "stop central, put back the last good copy of its database and start it: it reads the mesh's journals again from there"

var specs = map[Kind]spec{
	EntryMissing:   {Fault, OwnerCentral, nil, "a journal entry that central had received is not in its store", rebuild},
	EntryDamaged:   {Fault, OwnerCentral, nil, "a journal entry in central's store is not what the mesh wrote", "check the disk of central; " + rebuild},
	EntryUndecided: {Fault, OwnerMesh, nil, "an entry is durable and nothing was decided about it", "look at /status of the nodes: every shard needs a leader, and the lag of alerting must fall; alert by hand meanwhile"},

	DecisionMissing: {Fault, OwnerCentral, nil, "a decision that central had received is not in its store; what follows from it can't be judged", rebuild},
	DecisionDamaged: {Fault, OwnerCentral, nil, "a decision in central's store is not what the mesh wrote", "check the disk of central; " + rebuild},
	DecisionStuck:   {Fault, OwnerCentral, Bounds.stuck, "a decision of the mesh could not be carried over into what central shows", "see central's log for the record; what it waits for stands under found"},

	RulingDiffers: {Fault, OwnerCentral, nil, "central holds another ruling about an entry than was decided", rebuild},
	EventMissing:  {Fault, OwnerCentral, nil, "an event was decided and is not shown", rebuild},
	EventDiffers:  {Fault, OwnerCentral, nil, "an event is shown otherwise than it was decided", rebuild},
	EventExtra:    {Fault, OwnerCentral, nil, "an event is shown that nobody decided", "find out who wrote into central's database; " + rebuild},
	CopiesDiffer:  {Fault, OwnerCentral, nil, "an event's copies are miscounted", rebuild},

	NotificationMissing: {Fault, OwnerCentral, nil, "a notification was planned and is not shown", rebuild},
	NotificationDiffers: {Fault, OwnerCentral, nil, "a notification is shown otherwise than it was decided", rebuild},
	NotificationExtra:   {Fault, OwnerCentral, nil, "a notification is shown that nobody planned", "find out who wrote into central's database; " + rebuild},

	OutcomeOverdue:   {Fault, OwnerMesh, nil, "a notification is past its time and has no outcome", "look at the channel's provider and at /status of the shard's leader; tell the contact by hand if the event asks for it"},
	OutcomeUnclaimed: {Fault, OwnerMesh, nil, "an outcome was recorded of an attempt that nobody had claimed", "keep the journals and report it: the agreement's state machine is at fault"},
	ClaimedTwice:     {Fault, OwnerMesh, nil, "one attempt was claimed by two holders", "keep the journals and report it: the agreement's state machine is at fault"},
	OutcomeUnknown:   {Know, OwnerCustomer, nil, "nobody can know whether a notification arrived, or arrived once", "nothing; it may have come twice or not at all, ask the contact if it matters"},
	OutcomeDouble:    {Know, OwnerCustomer, nil, "two attempts of one notification have both ended", "nothing; the contact may have got it twice"},

	IngestBehind: {Fault, OwnerCentral, Bounds.lag, "central doesn't catch up with what is durable in the mesh", "look at central's log and disk; alarms are not affected"},
	NodeBehind:   {Fault, OwnerMesh, Bounds.silent, "a node lacks entries that are durable elsewhere", "look at the node's /status: peers, disk, quarantined origins"},
	NodeSilent:   {Fault, OwnerMesh, Bounds.silent, "a node does not answer central, its journal can't be compared", "look whether it runs and whether central's certificate and the network reach it"},
	HashDiffers:  {Fault, OwnerMesh, nil, "a node holds another history of an origin than central", "stop that node, keep its files, compare them with vedetta-node on another, and let it start with an empty folder"},
	MeshBehind:   {Fault, OwnerMesh, nil, "central holds entries that no node holds any more", "keep central's database; find out which disks lost them before any node is emptied"},

	RosterBehind:  {Fault, OwnerCentral, Bounds.lag, "a node has not applied the customer's newest roster", "look at vedetta_roster_unsent and at the node's lag; until then it alerts by the former roster"},
	RosterDiffers: {Fault, OwnerCentral, Bounds.lag, "a node has applied another roster than central wants", "change any panel, contact or rule of the customer: the whole roster is published again"},
}

// Kinds are all there are.
func Kinds() []Kind {
	list := make([]Kind, 0, len(specs))
	for k := range specs {
		list = append(list, k)
	}
	return list
}

// Severity of the kind.
func (k Kind) Severity() Severity { return specs[k].severity }

// Owner of the kind.
func (k Kind) Owner() Owner { return specs[k].owner }

// Sentence says in plain words what is wrong.
func (k Kind) Sentence() string { return specs[k].sentence }

// Advice says what to do.
func (k Kind) Advice() string { return specs[k].advice }

// Bounds are how long something may stand before it is a case.
type Bounds struct {
	Lag       time.Duration // central behind the mesh, a roster behind central
	Silent    time.Duration // a node without an answer, or behind
	Undecided time.Duration // a durable entry without a decision
	Overdue   time.Duration // a notification past its time
	Stuck     time.Duration // a decision that waits
}

func (b Bounds) lag() time.Duration    { return b.Lag }
func (b Bounds) silent() time.Duration { return b.Silent }
func (b Bounds) stuck() time.Duration  { return b.Stuck }

func (b Bounds) of(k Kind) time.Duration {
	if f := specs[k].bound; f != nil {
		return f(b)
	}
	return 0
}

// Finding is one difference as facts show it now.
type Finding struct {
	Kind     Kind
	Unit     Unit
	Place    string
	Customer string // whose, if it is a customer's own
	Expected string
	Found    string
	Since    time.Time // when it came to be, if the facts tell; zero: when it is first seen
	At, Goal uint64    // of a lag: where it stands and what it must reach
}
