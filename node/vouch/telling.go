package vouch

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"time"

	"vedetta/node/strangers"
)

// version of a telling. Its form: version and flags (1 byte each), number of groups,
// groups, CRC-32C (4 bytes, big endian). A group: flags (1 byte), age in minutes, number
// of networks, and these in ascending order, each as the difference to the one before.
// Numbers without a length are varints.
const version = 1

// Flags of a telling, and of a group.
const (
	flagComplete = 1

	groupSure = 1
)

// oldest is the highest age that is told, in minutes: a year.
const oldest = 366 * 24 * 60

// most networks that are taken from one telling: twice as many as a core tells.
const most = 1 << 22

// ErrTelling means that bytes are no telling, or one above this program's version.
var ErrTelling = errors.New("not a well-formed telling of known addresses")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// telling is what one node tells another.
type telling struct {
	complete bool // everything that a node knows that was there for long enough
	list     []strangers.Known
}

type group struct {
	sure    bool
	minutes uint64
}

func groupOf(k strangers.Known) group {
	// More than it is by one to two minutes: it never gets younger on its way.
	return group{k.Sure, uint64(max(0, k.Age)/time.Minute) + 2}
}

func encode(t telling) []byte {
	slices.SortFunc(t.list, func(a, b strangers.Known) int {
		x, y := groupOf(a), groupOf(b)
		if x.sure != y.sure {
			if x.sure {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(x.minutes, y.minutes), cmp.Compare(a.Network, b.Network))
	})
	var flags byte
	if t.complete {
		flags |= flagComplete
	}
	b := []byte{version, flags}
	var groups [][]strangers.Known
	for rest := t.list; len(rest) > 0; {
		n := slices.IndexFunc(rest, func(k strangers.Known) bool { return groupOf(k) != groupOf(rest[0]) })
		if n < 0 {
			n = len(rest)
		}
		groups, rest = append(groups, rest[:n]), rest[n:]
	}
	b = binary.AppendUvarint(b, uint64(len(groups)))
	for _, g := range groups {
		of, sure := groupOf(g[0]), byte(0)
		if of.sure {
			sure = groupSure
		}
		b = append(b, sure)
		b = binary.AppendUvarint(b, of.minutes)
		b = binary.AppendUvarint(b, uint64(len(g)))
		last := uint64(0)
		for _, k := range g {
			b = binary.AppendUvarint(b, k.Network-last)
			last = k.Network
		}
	}
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

func decode(b []byte) (t telling, err error) {
	if len(b) > 0 && b[0] > version {
		return t, fmt.Errorf("known addresses of version %d, want at most %d: %w", b[0], version, ErrTelling)
	}
	if len(b) < 7 || b[0] != version {
		return t, fmt.Errorf("known addresses in %d bytes: %w", len(b), ErrTelling)
	}
	end := len(b) - 4
	if crc32.Checksum(b[:end], castagnoli) != binary.BigEndian.Uint32(b[end:]) {
		return t, fmt.Errorf("known addresses: CRC differs: %w", ErrTelling)
	}
	t.complete = b[1]&flagComplete != 0
	rest, good := b[2:end], true
	number := func() uint64 {
		v, n := binary.Uvarint(rest)
		if n <= 0 {
			rest, good = nil, false
			return 0
		}
		rest = rest[n:]
		return v
	}
	for groups := number(); groups > 0 && good; groups-- {
		if len(rest) == 0 {
			good = false
			break
		}
		sure := rest[0]&groupSure != 0
		rest = rest[1:]
		age, n, network := time.Duration(min(number(), oldest))*time.Minute, number(), uint64(0)
		for ; n > 0 && good; n-- {
			more := number()
			good = good && network+more >= network && len(t.list) < most
			if network += more; good {
				t.list = append(t.list, strangers.Known{Network: network, Age: age, Sure: sure})
			}
		}
	}
	if !good || len(rest) > 0 {
		return telling{}, fmt.Errorf("known addresses: %w", ErrTelling)
	}
	return t, nil
}
