// Package chaos runs the whole product as real processes under load while its
// nodes are killed, held and started again, and has bench/verdict judge what
// came of it.
//
// A run is: panels that send distinct alarms over TCP and UDP, encrypted and
// plain, to all nodes, as panels do (they repeat on silence and turn to the
// next address); faults drawn from a seed (Plan) and aimed at who leads when
// they are due (Core); a time to heal; then the records of the generator, the
// catcher and the nodes' disks are judged. What the product says of itself
// only aims the faults and tells when it may be asked.
//
// It promises to leave no process behind, held ones among them, and to keep
// all logs and records in its folder when the run was red.
package chaos
