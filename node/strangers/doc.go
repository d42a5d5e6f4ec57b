// Package strangers decides how much of the receiver somebody may use who has not
// shown a panel's account: whether a connection is taken, which one makes room when
// all are used, how long a stranger may stay, and whose addresses are banned.
//
// It is stepped: now is an argument, there is no goroutine and no socket; safe for
// several goroutines, and it never waits. What it holds is bounded whatever comes.
//
// # What counts against a network
//
// A network is an IPv4 address or an IPv6 /64. Only connections offend: the source
// of a datagram proves nothing, so no datagram ever leads to a ban. Each offence has
// points (see Offence), a network loses ten a minute, and with a hundred it is
// banned: for a minute at first, four times as long each time, a day at most. For
// each day without another ban one step is forgiven.
//
// Never banned are the networks of the configuration, and those from which a known
// panel was acknowledged within a day: a mobile carrier puts thousands of panels
// behind one address, and a stranger among them must not silence them. Which these are
// the nodes tell each other (News, Hear; package vouch carries it), so that a panel
// that turns to another node, or to this one after a restart, finds its address known.
// As long as a process may know too little nobody is banned at all: see Start. A ban
// refuses connections only, never datagrams.
//
// # Who makes room
//
// A connection that has shown a known account is never closed for others; of one
// panel that holds for so many (perPanel), so that nobody takes all places with one
// account. The rest share what is left: when all places are taken, the one that has
// been unknown the longest goes.
package strangers
