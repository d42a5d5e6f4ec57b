package identity

import (
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"vedetta/wire/seal"
)

var rewrite = flag.Bool("rewrite", false, "write testdata again")

func text(s string) *string { return &s }

func goldenKey() seal.Key {
	var k seal.Key
	for i := range k.Identity {
		k.Identity[i] = byte(i)
		k.Data[i] = byte(0xff - i)
	}
	return k
}

// The golden file holds what must never change: a mesh whose nodes compute
// other identities or shards loses copies and cursors.
func TestRule13_golden(t *testing.T) {
	cases := []struct {
		name     string
		sender   Sender
		token    string
		sequence int
		data     string
	}{
		{"panel", Sender{Panel: "pan_1"}, "SIA-DCS", 1, "#1234|Nri1/BA001"},
		{"panel, other listener", Sender{Listener: "two", Panel: "pan_1"}, "SIA-DCS", 1, "#1234|Nri1/BA001"},
		{"panel, other sequence", Sender{Panel: "pan_1"}, "SIA-DCS", 2, "#1234|Nri1/BA001"},
		{"panel, other data", Sender{Panel: "pan_1"}, "SIA-DCS", 1, "#1234|Nri1/BR001"},
		{"panel, other token", Sender{Panel: "pan_1"}, "ADM-CID", 1, "#1234|1130 01 001"},
		{"unknown", Sender{Prefix: text("0"), Account: "12ab"}, "SIA-DCS", 9999, "#12ab|Nri1/BA001"},
		{"unknown with R", Sender{Prefix: text("0"), Receiver: text("1f"), Account: "12ab"}, "SIA-DCS", 0, ""},
	}
	var b strings.Builder
	for _, c := range cases {
		id := c.sender.Of(goldenKey(), c.token, c.sequence, []byte(c.data))
		fmt.Fprintf(&b, "%s: shard %d identity %s\n", c.name, c.sender.Shard(), hex.EncodeToString(id[:]))
	}
	const file = "testdata/identity.txt"
	if *rewrite {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("identities changed:\n%s\nwant\n%s", b.String(), want)
	}
}

func TestRule13_one_spelling(t *testing.T) {
	k := goldenKey()
	plain := Sender{Panel: "pan_1", Prefix: text("0"), Account: "12ab"}.Of(k, "SIA-DCS", 7, []byte("x"))
	for name, got := range map[string]Sender{
		"account in upper case":     {Panel: "pan_1", Prefix: text("0"), Account: "12AB"},
		"another prefix":            {Panel: "pan_1", Prefix: text("1"), Account: "12ab"},
		"default listener by name":  {Panel: "pan_1", Listener: "main"},
		"with a receiver number":    {Panel: "pan_1", Receiver: text("1")},
		"nothing but the roster id": {Panel: "pan_1"},
	} {
		if got.Of(k, "*SIA-DCS", 7, []byte("x")) != plain {
			t.Errorf("%s: another identity, want the same for one panel", name)
		}
	}
	a := Sender{Prefix: text("a"), Account: "12ab"}
	b := Sender{Prefix: text("A"), Account: "12AB", Listener: "main"}
	if a.Of(k, "SIA-DCS", 7, nil) != b.Of(k, "SIA-DCS", 7, nil) || a.Shard() != b.Shard() {
		t.Error("an unknown account's case changes identity or shard")
	}
	if (Sender{Panel: "x"}).Of(k, "T", 1, nil) == (Sender{Account: "x"}).Of(k, "T", 1, nil) {
		t.Error("a panel and an unknown account have one identity")
	}
}

func TestRule13_shards_are_first_six_bits(t *testing.T) {
	// SHA-256("abc") begins ba78: 101110 10...
	if got := Shard("abc"); got != 0xba>>2 {
		t.Errorf("shard of abc is %d, want %d", got, 0xba>>2)
	}
	seen := map[byte]bool{}
	for i := range 2000 {
		seen[Shard(fmt.Sprint("panel-", i))] = true
	}
	if len(seen) != Shards {
		t.Errorf("2000 panels are on %d shards, want %d", len(seen), Shards)
	}
}
