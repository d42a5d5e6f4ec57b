// Package local runs the whole product on one machine: three nodes, central
// and the catcher, each with its own folder, as real processes that are started
// again when they die. It is what `vedettactl local up` and `make run` are.
//
// Everything it makes lies in one data folder; nothing there is ever deleted.
package local

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
)

// Sites of the local mesh; each has one node of the same name.
func sites() []string { return []string{"arezzo", "roubaix", "limburg"} }

// Port offsets from the base port; a promise (see PortHelp).
const (
	offsetCentral     = 0
	offsetCatcherHTTP = 1
	offsetCatcherSMTP = 2
	offsetNodes       = 10 // arezzo; roubaix is 10 further, limburg 20
	offsetDC09        = 1  // of a node: TCP and UDP
	offsetMesh        = 2  // of a node: UDP
	offsetStatus      = 3  // of a node
	offsetGossip      = 4  // of a node: TCP and UDP
	offsetDC09TLS     = 5  // of a node
)

// PortHelp is the offset table as the help prints it.
const PortHelp = `ports, from the base port N: N central, N+1 catcher, N+2 catcher's SMTP; arezzo N+11 DC-09 (TCP and UDP), N+12 mesh (UDP), N+13 status, N+14 gossip (TCP and UDP), N+15 DC-09 by TLS; roubaix the same from N+21, limburg from N+31`

// plan is where everything stands.
type plan struct {
	data string
	base int
}

func (p plan) address(offset int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.base+offset))
}

func (p plan) node(i, offset int) string { return p.address(offsetNodes*(i+1) + offset) }

func (p plan) path(parts ...string) string {
	return filepath.Join(append([]string{p.data}, parts...)...)
}

// checkPorts says which port is taken, before anything starts.
func (p plan) checkPorts() error {
	type port struct{ what, network, address string }
	ports := []port{
		{"central", "tcp", p.address(offsetCentral)},
		{"catcher", "tcp", p.address(offsetCatcherHTTP)},
		{"catcher's SMTP", "tcp", p.address(offsetCatcherSMTP)},
	}
	for i, site := range sites() {
		ports = append(ports,
			port{site + " DC-09", "tcp", p.node(i, offsetDC09)},
			port{site + " DC-09", "udp", p.node(i, offsetDC09)},
			port{site + " DC-09 by TLS", "tcp", p.node(i, offsetDC09TLS)},
			port{site + " mesh", "udp", p.node(i, offsetMesh)},
			port{site + " status", "tcp", p.node(i, offsetStatus)},
			port{site + " gossip", "tcp", p.node(i, offsetGossip)},
			port{site + " gossip", "udp", p.node(i, offsetGossip)})
	}
	for _, q := range ports {
		var err error
		if q.network == "tcp" {
			var l net.Listener
			if l, err = net.Listen("tcp", q.address); err == nil {
				err = l.Close()
			}
		} else {
			var c net.PacketConn
			if c, err = net.ListenPacket("udp", q.address); err == nil {
				err = c.Close()
			}
		}
		if err != nil {
			return fmt.Errorf("port of %s is taken: %w; is another local mesh running? choose another --base-port", q.what, err)
		}
	}
	return nil
}
