package agreement

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"slices"

	sharding "vedetta/node/identity"
	"vedetta/wire/decision"
	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

// snapshotVersion is the form that Encode writes, and the highest Restore reads.
const snapshotVersion = 1

const snapshotHead, snapshotTail = 9, 4

// ErrSnapshot means that bytes are no snapshot, or a damaged one.
var ErrSnapshot = errors.New("not a whole snapshot of the agreement")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// image is a whole state as a snapshot holds it. encoding/json writes maps in
// the order of their keys.
type image struct {
	Index      uint64            `json:"index"`
	Clock      int64             `json:"clock"`
	Generation uint64            `json:"generation"`
	Sites      []string          `json:"sites"`
	Members    []decision.Member `json:"members"`
	Shards     []Shard           `json:"shards"`
	Cursors    []cursorImage     `json:"cursors"`

	MeshKey   hexID                  `json:"mesh_key"`
	Keys      map[string]keyImage    `json:"keys"`
	DayKeys   map[mesh.Day]keyImage  `json:"day_keys"`
	DaysGone  mesh.Day               `json:"days_gone"`
	Gone      map[string]int64       `json:"gone"`
	GoneKeys  map[hexID]int64        `json:"gone_keys"`
	Erasure   uint64                 `json:"erasure"`
	Documents map[string]docImage    `json:"documents"` // part 0
	Parts     map[string]partsImage  `json:"parts,omitempty"`
	Open      map[string]Open        `json:"open"`
	Closed    map[string]Closed      `json:"closed"`
	Windows   map[hexIdentity]recent `json:"windows"`

	Proposals map[decision.ProposalID]proposalImage `json:"proposals"`
	Confirmed map[mesh.Origin]uint64                `json:"confirmed"`
	Silent    map[string]Silence                    `json:"silent,omitempty"` // by panel
	Tail      tailImage                             `json:"tail"`
}

type cursorImage struct {
	Shard  byte        `json:"shard"`
	Origin mesh.Origin `json:"origin"`
	Number uint64      `json:"number"`
}

type keyImage struct {
	ID      hexID  `json:"id"`
	Wrapped []byte `json:"wrapped"`
}

type docImage struct {
	Revision uint64 `json:"revision"`
	Index    uint64 `json:"index"`
	Sealed   []byte `json:"sealed"`
}

// partsImage are the further parts of a customer's roster.
type partsImage map[int]docImage

type proposalImage struct {
	UntilMs int64  `json:"until"`
	Result  Result `json:"result"`
}

type tailImage struct {
	Number uint64   `json:"number"`
	Hash   []byte   `json:"hash"`
	Day    mesh.Day `json:"day"`
}

type recent []Window

type hexID seal.KeyID

func (h hexID) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h[:])), nil }

func (h *hexID) UnmarshalText(b []byte) error { return exactly(hex.Decode, h[:], b, 2*len(h)) }

type hexIdentity mesh.Identity

func (h hexIdentity) MarshalText() ([]byte, error) {
	return []byte(base64.RawURLEncoding.EncodeToString(h[:])), nil
}

func (h *hexIdentity) UnmarshalText(b []byte) error {
	return exactly(base64.RawURLEncoding.Decode, h[:], b, base64.RawURLEncoding.EncodedLen(len(h)))
}

func exactly(decode func(dst, src []byte) (int, error), dst, src []byte, want int) error {
	if len(src) != want {
		return fmt.Errorf("id of %d characters, want %d", len(src), want)
	}
	_, err := decode(dst, src)
	return err
}

// Image is a copy of a state that does not change with it.
type Image struct {
	in   image
	tail Tail
}

// Image copies the state in memory.
func (s *State) Image() Image {
	in := image{
		Index: s.index, Clock: s.clock, Generation: s.generation,
		Sites: slices.Clone(s.sites), Members: slices.Clone(s.members), Shards: slices.Clone(s.shards[:]),
		MeshKey: hexID(s.meshKey), Keys: map[string]keyImage{}, DayKeys: map[mesh.Day]keyImage{}, DaysGone: s.daysGone,
		Gone: maps.Clone(s.gone), GoneKeys: map[hexID]int64{}, Erasure: s.erasure, Documents: make(map[string]docImage, len(s.documents)),
		Open: make(map[string]Open, len(s.open)), Closed: make(map[string]Closed, len(s.closed)),
		Windows:   make(map[hexIdentity]recent, len(s.windows.newest)),
		Proposals: make(map[decision.ProposalID]proposalImage, len(s.proposals)),
		Confirmed: maps.Clone(s.confirmed),
		Tail:      tailImage{s.tail.Number, s.tail.Hash[:], s.tail.Day},
	}
	in.Tail.Hash = slices.Clone(in.Tail.Hash)
	in.Silent = map[string]Silence{}
	for _, panels := range s.silent {
		maps.Copy(in.Silent, panels)
	}
	for c, n := range s.cursors {
		in.Cursors = append(in.Cursors, cursorImage{c.Shard, c.Origin, n})
	}
	slices.SortFunc(in.Cursors, func(a, b cursorImage) int {
		return cmp.Or(cmp.Compare(a.Shard, b.Shard), a.Origin.Compare(b.Origin))
	})
	for k, w := range s.keys {
		in.Keys[k] = keyImage{hexID(w.ID), w.Bytes}
	}
	for d, w := range s.dayKeys {
		in.DayKeys[d] = keyImage{hexID(w.ID), w.Bytes}
	}
	for id, at := range s.goneKeys {
		in.GoneKeys[hexID(id)] = at
	}
	for c, list := range s.documents {
		for part, d := range list {
			if part == 0 {
				in.Documents[c] = docImage(d)
				continue
			}
			if in.Parts == nil {
				in.Parts = map[string]partsImage{}
			}
			if in.Parts[c] == nil {
				in.Parts[c] = partsImage{}
			}
			in.Parts[c][part] = docImage(d)
		}
	}
	for id, o := range s.open {
		c := *o
		c.Attempts = slices.Clone(c.Attempts)
		in.Open[id] = c
	}
	for id, o := range s.closed {
		c := *o
		c.Attempts = slices.Clone(c.Attempts)
		in.Closed[id] = c
	}
	for id := range s.windows.newest {
		in.Windows[hexIdentity(id)] = s.windows.of(id)
	}
	for id, p := range s.proposals {
		in.Proposals[id] = proposalImage(p) // a Result is never changed
	}
	return Image{in, s.tail}
}

// Tail is what must be flushed before the snapshot may stand for the log (rule 16).
func (i Image) Tail() Tail { return i.tail }

// Encode makes the snapshot's bytes.
func (i Image) Encode() ([]byte, error) {
	body, err := json.Marshal(i.in)
	if err != nil {
		return nil, fmt.Errorf("encode snapshot: %w", err)
	}
	b := make([]byte, 0, snapshotHead+len(body)+snapshotTail)
	b = append(b, snapshotVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(len(body)))
	b = append(b, body...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)), nil
}

// Snapshot is the state's bytes; equal states give equal bytes.
func (s *State) Snapshot() ([]byte, error) { return s.Image().Encode() }

// Restore makes the state that a snapshot holds. A form above its version is
// decision.ErrVersion (rule 4).
func Restore(keys KeyOpener, b []byte) (*State, error) {
	if len(b) > 0 && b[0] > snapshotVersion {
		return nil, fmt.Errorf("snapshot of version %d, want at most %d: %w", b[0], snapshotVersion, decision.ErrVersion)
	}
	if len(b) < snapshotHead+snapshotTail || b[0] != snapshotVersion ||
		binary.BigEndian.Uint64(b[1:]) != uint64(len(b)-snapshotHead-snapshotTail) {
		return nil, fmt.Errorf("snapshot of %d bytes: %w", len(b), ErrSnapshot)
	}
	end := len(b) - snapshotTail
	if crc32.Checksum(b[:end], castagnoli) != binary.BigEndian.Uint32(b[end:]) {
		return nil, fmt.Errorf("snapshot: CRC differs: %w", ErrSnapshot)
	}
	var in image
	d := json.NewDecoder(bytes.NewReader(b[snapshotHead:end]))
	d.DisallowUnknownFields() // what is overlooked here would differ there
	if err := d.Decode(&in); err != nil {
		return nil, fmt.Errorf("snapshot: %w: %w", ErrSnapshot, err)
	}
	if len(in.Shards) != Shards || len(in.Tail.Hash) != mesh.HashSize {
		return nil, fmt.Errorf("snapshot of %d shards: %w", len(in.Shards), ErrSnapshot)
	}
	return in.state(keys), nil
}

func (in image) state(keys KeyOpener) *State {
	s := NewState(keys)
	s.index, s.clock, s.generation, s.sites, s.members = in.Index, in.Clock, in.Generation, in.Sites, in.Members
	copy(s.shards[:], in.Shards)
	for _, c := range in.Cursors {
		s.cursors[cursor{c.Shard, c.Origin}] = c.Number
	}
	s.meshKey, s.daysGone = seal.KeyID(in.MeshKey), in.DaysGone
	for c, k := range in.Keys {
		s.keys[c] = Wrapped{seal.KeyID(k.ID), k.Wrapped}
		s.owners[seal.KeyID(k.ID)] = owner{customer: c}
	}
	for d, k := range in.DayKeys {
		s.dayKeys[d] = Wrapped{seal.KeyID(k.ID), k.Wrapped}
		s.owners[seal.KeyID(k.ID)] = owner{day: d}
	}
	maps.Copy(s.gone, in.Gone)
	for id, at := range in.GoneKeys {
		s.goneKeys[seal.KeyID(id)] = at
	}
	s.erasure = in.Erasure
	for c, d := range in.Documents {
		s.setDocument(c, 0, Document(d))
	}
	for c, list := range in.Parts {
		for part, d := range list {
			s.setDocument(c, part, Document(d))
		}
	}
	for _, o := range in.Open {
		s.put(&o)
	}
	for id, c := range in.Closed {
		s.closed[id] = &c
	}
	for id, l := range in.Windows {
		s.windows.set(mesh.Identity(id), l)
	}
	for id, p := range in.Proposals {
		s.proposals[id] = proposal(p)
	}
	maps.Copy(s.confirmed, in.Confirmed)
	for panel, v := range in.Silent {
		shard := sharding.Shard(panel)
		if s.silent[shard] == nil {
			s.silent[shard] = map[string]Silence{}
		}
		s.silent[shard][panel] = v
	}
	if s.generation != 0 {
		s.tail = Tail{Origin: mesh.Agreement(s.generation), Number: in.Tail.Number, Hash: mesh.Hash(in.Tail.Hash), Day: in.Tail.Day}
	}
	return s
}
