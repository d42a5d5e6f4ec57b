package vouch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"vedetta/node/strangers"
)

// What is told arrives, each age older by one to two minutes.
func TestTellingsArrive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		known := rapid.Custom(func(t *rapid.T) strangers.Known {
			return strangers.Known{
				Network: rapid.OneOf(rapid.Uint64(), rapid.Uint64Range(0, math.MaxUint32)).Draw(t, "network"),
				Age:     time.Duration(rapid.IntRange(0, 48*3600).Draw(t, "age")) * time.Second, Sure: rapid.Bool().Draw(t, "sure")}
		})
		want := telling{
			complete: rapid.Bool().Draw(t, "complete"),
			list:     rapid.SliceOfDistinct(known, func(k strangers.Known) uint64 { return k.Network }).Draw(t, "list"),
		}
		got, err := decode(encode(want))
		if err != nil {
			t.Fatal(err)
		}
		if got.complete != want.complete || len(got.list) != len(want.list) {
			t.Fatalf("%+v, want %+v", got, want)
		}
		for _, w := range want.list {
			i := slices.IndexFunc(got.list, func(g strangers.Known) bool { return g.Network == w.Network })
			if i < 0 || got.list[i].Sure != w.Sure || got.list[i].Age <= w.Age+within || got.list[i].Age > w.Age+2*time.Minute {
				t.Fatalf("%+v is missing or another: %+v", w, got.list)
			}
		}
	})
}

func example() []byte {
	return encode(telling{complete: true, list: []strangers.Known{{Network: 5}, {Network: 9, Sure: true}, {Network: 1 << 60, Age: time.Hour}}})
}

func TestTellingsThatAreNoneAreRefused(t *testing.T) {
	good := example()
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 0x41
		if _, err := decode(bad); !errors.Is(err, ErrTelling) {
			t.Errorf("byte %d changed: %v", i, err)
		}
		if _, err := decode(good[:i]); !errors.Is(err, ErrTelling) {
			t.Errorf("cut at %d: %v", i, err)
		}
	}
}

// Whatever parses is within its bounds, and the same when it is told on, but for ages.
func FuzzTelling(f *testing.F) {
	good := example()
	f.Add(good[:len(good)-4])
	f.Fuzz(func(t *testing.T, b []byte) {
		b = binary.BigEndian.AppendUint32(bytes.Clone(b), crc32.Checksum(b, castagnoli)) // past the checksum
		got, err := decode(b)
		if err != nil {
			if !errors.Is(err, ErrTelling) {
				t.Fatal(err)
			}
			return
		}
		for _, k := range got.list {
			if k.Age < 0 || k.Age > oldest*time.Minute {
				t.Fatalf("%+v", k)
			}
		}
		n := len(got.list)
		if again, err := decode(encode(got)); err != nil || len(again.list) != n {
			t.Fatalf("%d networks, told on %d: %v", n, len(again.list), err)
		}
	})
}
