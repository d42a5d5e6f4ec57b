// Package gossip hands out hints about the other nodes: who seems alive, since
// when, as which start of the process, and which program and forms it runs. It
// is hashicorp/memberlist behind a small door.
//
// It promises: nothing of it is needed. No bad keyring, lost packet, lie or
// silence here stops the node, and nothing that decides (quorum, leaders,
// readiness, the agreement) may look at it: a test over the tree holds that
// only the status report imports it. Words are encrypted with keys of their own
// (package keyring); packets go to configured addresses only, whatever was
// gossiped; what is said about nodes that aren't configured is refused.
//
// It does not promise that a hint is true. A node that was killed seems alive
// for some seconds more. All goroutines belong to Run; those of memberlist end
// shortly after it.
//
// # What a node says of itself, version 1
//
// Its name in memberlist is its origin, as "arezzo.3-00f1e2d3c4b5a697": with
// every start it is a new one, so that no restart has to refute its own death.
// Beside it go these bytes, at most 512, integers big endian:
//
//	offset size
//	0      1    version, 1
//	1      8    start of the process, Unix seconds
//	9      1    lowest version of the forms (commands, records) it reads
//	10     1    highest
//	11     1    length n of the site's name   12    n  site
//	12+n   1    length m of the program's version   13+n  m  version
//
// Later versions only add bytes at the end; a reader leaves out what it doesn't know.
package gossip
