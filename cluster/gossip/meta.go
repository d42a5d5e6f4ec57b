package gossip

import (
	"encoding/binary"
	"errors"
	"time"
	"unicode/utf8"

	"vedetta/wire/mesh"
)

// metaVersion is the version written; later ones begin alike.
const metaVersion = 1

// Forms is the range of versions of commands and records that a node reads.
type Forms struct{ Min, Max uint8 }

// About is what a node says of itself.
type About struct {
	Site    string // 1 to 32 of a-z 0-9 -
	Version string // of the program, at most maxProgram bytes; longer ones are cut
	Forms   Forms
	Started time.Time // whole seconds
}

const maxProgram = 64

var errMeta = errors.New("gossip: bad words of a node about itself")

func (a About) encode() []byte {
	version := a.Version[:min(len(a.Version), maxProgram)]
	b := []byte{metaVersion}
	b = binary.BigEndian.AppendUint64(b, uint64(a.Started.Unix()))
	b = append(b, a.Forms.Min, a.Forms.Max, byte(len(a.Site)))
	b = append(b, a.Site...)
	b = append(b, byte(len(version)))
	return append(b, version...)
}

// decodeAbout reads what encode writes, of this version or a later one.
func decodeAbout(b []byte) (About, error) {
	if len(b) < 13 || b[0] < metaVersion {
		return About{}, errMeta
	}
	a := About{Started: time.Unix(int64(binary.BigEndian.Uint64(b[1:])), 0).UTC(), Forms: Forms{b[9], b[10]}}
	n := int(b[11])
	if len(b) < 13+n {
		return About{}, errMeta
	}
	a.Site = string(b[12 : 12+n])
	m := int(b[12+n])
	if len(b) < 13+n+m {
		return About{}, errMeta
	}
	a.Version = string(b[13+n : 13+n+m])
	if !mesh.ValidNode(a.Site) || m > maxProgram || !printable(a.Version) || a.Forms.Min > a.Forms.Max {
		return About{}, errMeta
	}
	return a, nil
}

// printable keeps control characters off pages and logs.
func printable(s string) bool {
	for _, r := range s {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return false
		}
	}
	return true
}
