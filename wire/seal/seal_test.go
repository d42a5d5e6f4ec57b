package seal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vedetta/wire/mesh"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

func fixedKey(seed byte) Key {
	var k Key
	for i := range k.ID {
		k.ID[i] = seed + byte(i)
	}
	for i := range k.Data {
		k.Data[i] = seed ^ byte(i*3)
		k.Identity[i] = seed ^ byte(i*5+1)
	}
	return k
}

func fixedHeader() mesh.Header {
	return mesh.Header{
		Kind: mesh.KindMessage, Origin: mesh.Origin{Node: "arezzo", Incarnation: 3, Random: 0x00f1e2d3c4b5a697},
		Number: 42, Day: 20781, Shard: 17, Identity: mesh.Identity{1, 2, 3},
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	text := hex.EncodeToString(got) + "\n"
	if *rewrite {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s: a released format has changed\n got %s want %s", name, text, want)
	}
}

func TestRule31_GoldenForms(t *testing.T) {
	k := fixedKey(7)
	golden(t, "record-1.hex", Seal(k, fixedHeader(), []byte(`{"v":1,"text":"furto"}`)))
	id := k.Identify([]byte("main"), []byte("panel-1"))
	golden(t, "identity-1.hex", id[:])
	golden(t, "index-1.hex", k.Index("user.email", "anna@example.it"))
	// Random forms: what was written once must open for ever.
	for name, open := range map[string]func([]byte) (string, error){
		"column-1.hex": func(b []byte) (string, error) { p, err := OpenColumn(k, "roster", b); return string(p), err },
		"wrapped-1.hex": func(b []byte) (string, error) {
			got, err := MeshKey(fixedKey(9).Data).Unwrap(k.ID, "customer-1", b)
			return fmt.Sprintf("%x%x", got.Data, got.Identity), err
		},
		"token-1.hex": func(b []byte) (string, error) {
			return ContactKey(fixedKey(5).Data).Decrypt(string(b), "contact-1", "email")
		},
	} {
		path := filepath.Join("testdata", name)
		if *rewrite {
			wrapped, _ := MeshKey(fixedKey(9).Data).Wrap(k, "customer-1")
			token, _ := ContactKey(fixedKey(5).Data).Encrypt("contact-1", "email", "anna@example.it")
			b := map[string][]byte{"column-1.hex": SealColumn(k, "roster", []byte("plain")), "wrapped-1.hex": wrapped, "token-1.hex": []byte(token)}[name]
			if err := os.WriteFile(path, []byte(hex.EncodeToString(b)+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{"column-1.hex": "plain", "wrapped-1.hex": fmt.Sprintf("%x%x", k.Data, k.Identity), "token-1.hex": "anna@example.it"}[name]
		if got, err := open(b); err != nil || got != want {
			t.Errorf("%s: opened as %q, %v; want %q", name, got, err, want)
		}
	}
}

func TestRule31_SameBytesEverywhere(t *testing.T) {
	k, h := NewKey(), fixedHeader()
	a, b := Seal(k, h, []byte("x")), Seal(k, h, []byte("x"))
	if !bytes.Equal(a, b) {
		t.Error("two nodes sealed the same record to different bytes")
	}
	if len(a) != 1+Overhead {
		t.Errorf("overhead is %d, want %d", len(a)-1, Overhead)
	}
}

// nonceOf and the keystream's first bytes show which key and nonce were used.
func TestRule01_KeyAndNonceAreThePlacesOwn(t *testing.T) {
	k, h := fixedKey(7), fixedHeader()
	plain := bytes.Repeat([]byte("a"), 64)
	base := Seal(k, h, plain)
	nonce := func(b []byte) []byte { return b[headBytes : headBytes+nonceBytes] }
	for name, change := range map[string]func(*mesh.Header, *[]byte){
		"number":      func(h *mesh.Header, _ *[]byte) { h.Number++ },
		"node":        func(h *mesh.Header, _ *[]byte) { h.Origin.Node = "roubaix" },
		"incarnation": func(h *mesh.Header, _ *[]byte) { h.Origin.Incarnation++ },
		"random":      func(h *mesh.Header, _ *[]byte) { h.Origin.Random++ },
		"plaintext":   func(_ *mesh.Header, p *[]byte) { *p = bytes.Repeat([]byte("b"), 64) },
	} {
		h2, p2 := h, plain
		change(&h2, &p2)
		if bytes.Equal(nonce(Seal(k, h2, p2)), nonce(base)) {
			t.Errorf("another %s gave the same nonce", name)
		}
	}
	own, _ := recordKeys(k, h.Origin)
	next := h.Origin
	next.Random++
	if other, _ := recordKeys(k, next); bytes.Equal(own, other) {
		t.Error("two incarnations share a sealing key")
	}
	if sealing, nonceKey := recordKeys(k, h.Origin); bytes.Equal(sealing, nonceKey) {
		t.Error("sealing key and nonce key are the same")
	}
}

func TestRule31_TamperRefused(t *testing.T) {
	k, h := fixedKey(7), fixedHeader()
	sealed := Seal(k, h, []byte("content"))
	if got, err := Open(k, h, sealed); err != nil || string(got) != "content" {
		t.Fatalf("opened as %q, %v", got, err)
	}
	for name, change := range map[string]func(*mesh.Header){
		"kind":     func(h *mesh.Header) { h.Kind = mesh.KindDecision },
		"number":   func(h *mesh.Header) { h.Number++ },
		"day":      func(h *mesh.Header) { h.Day++ },
		"shard":    func(h *mesh.Header) { h.Shard++ },
		"identity": func(h *mesh.Header) { h.Identity[15] ^= 1 },
		"origin":   func(h *mesh.Header) { h.Origin.Random ^= 1 },
	} {
		h2 := h
		change(&h2)
		if _, err := Open(k, h2, sealed); !errors.Is(err, ErrRefused) {
			t.Errorf("changed %s: %v, want it refused", name, err)
		}
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 0x80
		if got, err := Open(k, h, bad); err == nil || got != nil {
			t.Errorf("flipped byte %d: opened as %q", i, got)
		}
	}
	for n := range sealed {
		if _, err := Open(k, h, sealed[:n]); err == nil {
			t.Errorf("cut to %d bytes: opened", n)
		}
	}
}

func TestWrongKeyRefused(t *testing.T) {
	h := fixedHeader()
	sealed := Seal(fixedKey(7), h, []byte("x"))
	if _, err := Open(fixedKey(8), h, sealed); !errors.Is(err, ErrWrongKey) {
		t.Errorf("other id: %v, want ErrWrongKey", err)
	}
	k := fixedKey(8)
	k.ID = fixedKey(7).ID
	if _, err := Open(k, h, sealed); !errors.Is(err, ErrRefused) {
		t.Errorf("same id, other bytes: %v, want ErrRefused", err)
	}
	sealed[0] = 2
	if _, err := Open(fixedKey(7), h, sealed); !errors.Is(err, ErrVersion) {
		t.Errorf("version 2: %v, want ErrVersion", err)
	}
	if id, err := IDOf(Seal(fixedKey(7), h, nil)); err != nil || id != fixedKey(7).ID {
		t.Errorf("IDOf: %s, %v", id, err)
	}
}

func TestColumnIsBoundToItsPurpose(t *testing.T) {
	k := NewKey()
	a, b := SealColumn(k, "user.email", []byte("x")), SealColumn(k, "user.email", []byte("x"))
	if bytes.Equal(a, b) {
		t.Error("two columns with the same content look the same")
	}
	if got, err := OpenColumn(k, "user.email", a); err != nil || string(got) != "x" {
		t.Errorf("opened as %q, %v", got, err)
	}
	if _, err := OpenColumn(k, "user.name", a); !errors.Is(err, ErrRefused) {
		t.Errorf("other purpose: %v, want ErrRefused", err)
	}
	if _, err := OpenColumn(NewKey(), "user.email", a); !errors.Is(err, ErrWrongKey) {
		t.Errorf("other key: %v, want ErrWrongKey", err)
	}
}

func TestKeyedHashes(t *testing.T) {
	k := fixedKey(7)
	if k.Identify([]byte("ab"), []byte("c")) == k.Identify([]byte("a"), []byte("bc")) {
		t.Error("parts run into one another")
	}
	if k.Identify([]byte("a")) == fixedKey(8).Identify([]byte("a")) {
		t.Error("two customers share an identity")
	}
	rotated := k
	rotated.ID, rotated.Data = NewKey().ID, NewKey().Data
	if k.Identify([]byte("a")) != rotated.Identify([]byte("a")) {
		t.Error("rule 31: the identity changed with the data key")
	}
	if bytes.Equal(k.Index("email", "x"), k.Index("name", "x")) || bytes.Equal(k.Index("ab", "c"), k.Index("a", "bc")) {
		t.Error("two purposes share an index")
	}
}

func TestKeysPrintAsTheirIDs(t *testing.T) {
	k, m, c := NewKey(), MeshKey(NewKey().Data), NewContactKey()
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("keys", "key", k, "mesh", m, "contact", c)
	fmt.Fprintf(&out, "%v %+v %#v %x %s %v %#v %x %v %#v", k, k, k, k, k, m, m, m, c, c)
	for _, secret := range [][]byte{k.Data[:], k.Identity[:], m[:], c[:]} {
		for _, form := range []string{hex.EncodeToString(secret), string(secret), fmt.Sprint(secret), strings.ReplaceAll(fmt.Sprint(secret), " ", ",")} {
			if strings.Contains(out.String(), form) {
				t.Error("a key's bytes were printed")
			}
		}
	}
	if !strings.Contains(out.String(), k.ID.String()) {
		t.Error("the key's id was not printed")
	}
}

// TestRule31_RecordKeyIsItsOriginsOwn: one key for many records gives what Seal
// gives, and refuses another origin's, whose nonces it would mix up.
func TestRule31_RecordKeyIsItsOriginsOwn(t *testing.T) {
	k := NewKey()
	h := mesh.Header{Kind: mesh.KindMessage, Origin: mesh.Origin{Node: "arezzo", Incarnation: 1, Random: 2}, Number: 7}
	r := k.For(h.Origin)
	for n := range 3 { // the second time with what the first left
		h.Number++
		plain := bytes.Repeat([]byte{byte(n)}, 100*n)
		sealed := r.Seal(h, plain)
		if !bytes.Equal(sealed, Seal(k, h, plain)) {
			t.Errorf("record %d: other bytes than Seal's", h.Number)
		}
		if got, err := r.Open(h, sealed); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("record %d: %x, %v", h.Number, got, err)
		}
	}
	other := h
	other.Origin.Random++
	if _, err := r.Open(other, Seal(k, other, nil)); !errors.Is(err, ErrRefused) {
		t.Errorf("another origin's record: %v, want %v", err, ErrRefused)
	}
	defer func() {
		if recover() == nil {
			t.Error("sealed another origin's record")
		}
	}()
	r.Seal(other, nil)
}
