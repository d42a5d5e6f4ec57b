// Package sim plays a whole mesh from one seed: the stepped cores of the
// product over a simulated network, disks, clocks and providers, one event
// after the other in one goroutine, so that a seed repeats exactly.
//
// Real are what decides: the state machine of the agreement with its snapshots
// and its decisions (node/agreement), copies (node/alerting.Copies), leases
// (node/leadership.Assigner), the life of an attempt (node/attempt), durable
// marks and reordering (cluster/replica.Quorum, Reorder), all formats. Modelled
// are Raft (a log that commits only through a leader with a majority), journal
// files, streams, Panels and providers; the thin loops that carry the cores'
// effects out are written anew here.
//
// What the world itself has seen is the judge, never a core: what panels were
// told, what lies on the disks, what providers took. Safety is judged all the
// time, liveness after the faults have ended and the mesh had time to heal.
// Counters of rare states say what a run has reached.
package sim
