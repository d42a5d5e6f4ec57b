package mesh

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// vectors are the records of the golden file.
func vectors(t testing.TB) []Record {
	t.Helper()
	day := DayOf(time.Date(2026, 11, 24, 23, 59, 59, 0, time.UTC))
	arezzo := Origin{Node: "arezzo", Incarnation: 3, Random: 0x00f1e2d3c4b5a697}
	id := Identity{0: 1, 15: 0xff}
	var all []Record
	prev := map[Origin]Hash{}
	for _, x := range []struct {
		h      Header
		sealed string
	}{
		{Header{KindMessage, arezzo, 1, day, 0, id}, "sealed content"},
		{Header{KindMessage, arezzo, 2, day, NoShard, Identity{}}, ""},
		{Header{KindMessage, arezzo, 3, day + 1, 63, id}, strings.Repeat("x", 300)},
		{Header{KindDecision, Agreement(1), 1, day, 7, Identity{}}, "decision"},
	} {
		r, err := Encode(x.h, []byte(x.sealed), prev[x.h.Origin])
		if err != nil {
			t.Fatal(err)
		}
		prev[x.h.Origin] = r.Hash
		all = append(all, r)
	}
	return all
}

// The bytes of version 1 stay as they are. UPDATE_GOLDEN=1 writes them anew.
func TestRule04_RecordBytesAreGolden(t *testing.T) {
	path := filepath.Join("testdata", "records-v1.txt")
	all := vectors(t)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		var b bytes.Buffer
		fmt.Fprintln(&b, "# Records of version 1, drawn in doc.go: one per line, hex.")
		for _, r := range all {
			fmt.Fprintf(&b, "%x\n", r.Bytes)
		}
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	i := 0
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		want, err := hex.DecodeString(lines.Text())
		if err != nil || i >= len(all) {
			t.Fatalf("line %d: %v", i, err)
		}
		if !bytes.Equal(all[i].Bytes, want) {
			t.Errorf("record %d is\n%x, want\n%x", i, all[i].Bytes, want)
		}
		got, err := Decode(want)
		if err != nil || got.Header != all[i].Header || !bytes.Equal(got.Sealed, all[i].Sealed) || got.Hash != all[i].Hash {
			t.Errorf("record %d is read as %+v, %v", i, got.Header, err)
		}
		i++
	}
	if i != len(all) {
		t.Fatalf("%d records in %s, want %d", i, path, len(all))
	}
}

func TestRunningHashContinues(t *testing.T) {
	all := vectors(t)
	for i, prev := range []Hash{{}, all[0].Hash, all[1].Hash, {}} {
		if !all[i].Follows(prev) {
			t.Errorf("record %d does not follow the one before", i)
		}
		if all[i].Follows(Hash{1}) {
			t.Errorf("record %d follows anything", i)
		}
	}
	// Its first bytes are the seal's associated data, up to the length.
	h := AppendHeader(nil, all[0].Header)
	if !bytes.HasPrefix(all[0].Bytes, h) || binary.BigEndian.Uint32(all[0].Bytes[len(h):]) != uint32(len(all[0].Sealed)) {
		t.Error("the header is not the beginning of the record")
	}
}

func TestDamagedBytesAreRefused(t *testing.T) {
	for _, r := range vectors(t) {
		for cut := range len(r.Bytes) {
			if _, err := Decode(r.Bytes[:cut]); !errors.Is(err, ErrDamaged) {
				t.Fatalf("%s cut to %d bytes: %v, want ErrDamaged", r.Position(), cut, err)
			}
		}
		if _, err := Decode(append(bytes.Clone(r.Bytes), 0)); !errors.Is(err, ErrDamaged) {
			t.Fatalf("%s with a byte more: %v", r.Position(), err)
		}
		for bit := 8; bit < 8*len(r.Bytes); bit++ { // all but the version
			b := bytes.Clone(r.Bytes)
			b[bit/8] ^= 1 << (bit % 8)
			got, err := Decode(b)
			if bit/8 < len(b)-HashSize {
				if !errors.Is(err, ErrDamaged) {
					t.Fatalf("%s with bit %d turned: %v, want ErrDamaged", r.Position(), bit, err)
				}
			} else if err == nil && got.Hash == r.Hash {
				t.Fatalf("%s with bit %d turned has the same running hash", r.Position(), bit)
			}
		}
	}
}

func TestRule04_VersionAboveIsRefused(t *testing.T) {
	b := bytes.Clone(vectors(t)[0].Bytes)
	b[0] = RecordVersion + 1
	body := b[:len(b)-4-HashSize]
	binary.BigEndian.PutUint32(b[len(body):], crc32.Checksum(body, castagnoli))
	if _, err := Decode(b); !errors.Is(err, ErrVersion) || errors.Is(err, ErrDamaged) {
		t.Fatalf("version %d: %v, want ErrVersion", b[0], err)
	}
	b[0] = 0
	if _, err := Decode(b); !errors.Is(err, ErrDamaged) {
		t.Fatalf("version 0: %v, want ErrDamaged", err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	good := vectors(t)[0].Header
	for name, change := range map[string]func(h *Header) int{
		"number 0":  func(h *Header) int { h.Number = 0; return 1 },
		"no node":   func(h *Header) int { h.Origin.Node = ""; return 1 },
		"long node": func(h *Header) int { h.Origin.Node = strings.Repeat("a", 33); return 1 },
		"too long":  func(*Header) int { return MaxSealedBytes + 1 },
	} {
		h := good
		n := change(&h)
		if _, err := Encode(h, make([]byte, n), Hash{}); err == nil {
			t.Errorf("%s was encoded", name)
		}
	}
	if r, err := Encode(good, make([]byte, MaxSealedBytes), Hash{}); err != nil {
		t.Errorf("the longest: %v", err)
	} else if _, err := Decode(r.Bytes); err != nil {
		t.Errorf("the longest is not read: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, r := range vectors(f) {
		f.Add(r.Bytes)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Decode(b)
		if err != nil {
			return
		}
		// Whatever is read encodes to the same bytes, but for the running hash,
		// which needs the record before.
		again, err := Encode(r.Header, r.Sealed, Hash{})
		if err != nil {
			t.Fatalf("%+v was read and can't be encoded: %v", r.Header, err)
		}
		if n := len(b) - HashSize; !bytes.Equal(again.Bytes[:n], b[:n]) || !bytes.Equal(r.Bytes, b) {
			t.Fatalf("read %x, encoded %x", b, again.Bytes)
		}
	})
}

func FuzzEncode(f *testing.F) {
	f.Add(byte(1), "arezzo", uint64(3), uint64(9), uint64(1), uint32(20000), byte(5), []byte("content"))
	f.Fuzz(func(t *testing.T, kind byte, node string, inc, random, number uint64, day uint32, shard byte, sealed []byte) {
		h := Header{Kind: Kind(kind), Origin: Origin{node, inc, random}, Number: number, Day: Day(day), Shard: shard}
		r, err := Encode(h, sealed, Hash{9})
		if err != nil {
			return
		}
		got, err := Decode(r.Bytes)
		if err != nil || got.Header != h || !bytes.Equal(got.Sealed, sealed) || got.Hash != r.Hash || !got.Follows(Hash{9}) {
			t.Fatalf("%+v became %+v, %v", h, got.Header, err)
		}
	})
}
