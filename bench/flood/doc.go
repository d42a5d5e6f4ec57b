// Package flood measures two promises about strangers, with real processes and real
// sockets on loopback: a flood never delays a known panel by more than twice at the
// 99th percentile (Run), and 40,000 connections fit into a gibibyte (Hold).
//
// The flood comes from a process of its own, at a stated rate, from thousands of
// addresses of 127.0.0.0/8, none of which the node is told to trust. Panels, flood
// and three nodes share the machine's cores: on two of them the generator takes
// about as much time as what it floods, and stands in the figures with what it
// really reached. It runs at a lower priority, as it would elsewhere.
package flood
