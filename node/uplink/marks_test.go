package uplink

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"vedetta/wire/mesh"
	"vedetta/wire/seal"
)

func TestMarksSayWhatThisNodeHolds(t *testing.T) {
	u, _, j := newUplink(t)
	o := mesh.Origin{Node: "arezzo", Incarnation: 1, Random: 7}
	j.write(t, o, 5)
	j.rise(o, 4)
	var out struct {
		Origins map[mesh.Origin]originMark
	}
	for _, c := range []struct {
		at   uint64
		want []byte
	}{{0, nil}, {3, j.records[o][2].Hash[:]}, {5, j.records[o][4].Hash[:]}, {6, nil}} {
		out.Origins = nil
		call(t, u.Marks, fmt.Sprintf(`{"version":1,"at":{%q:%d}}`, o.String(), c.at), &out)
		m := out.Origins[o]
		if m.Mark != 5 || m.Durable != 4 || !bytes.Equal(m.AtHash, c.want) {
			t.Errorf("at %d: %+v, want mark 5, durable 4, hash %x", c.at, m, c.want)
		}
	}
}

// The digest changes with the document and with nothing else, and is no hash
// that somebody without the customer's key could guess a document by.
func TestMarksDigestWhatIsApplied(t *testing.T) {
	u, _, _ := newUplink(t)
	var wire key
	call(t, u.Open, `{"customer":"c1"}`, &wire)
	k := seal.Key{ID: seal.KeyID(wire.ID), Data: [32]byte(wire.Data), Identity: [32]byte(wire.Identity)}
	digest := func(revision int, plain string) []byte {
		t.Helper()
		sealed := base64.StdEncoding.EncodeToString(seal.SealColumn(k, documentPurpose, []byte(plain)))
		call(t, u.Put, fmt.Sprintf(`{"customer":"c1","revision":%d,"sealed":%q}`, revision, sealed), &struct{}{})
		var out struct {
			Documents map[string]documentMark
		}
		call(t, u.Marks, `{"version":1,"customers":["c1","nobody"]}`, &out)
		if len(out.Documents) != 1 || out.Documents["c1"].Revision != uint64(revision) {
			t.Fatalf("documents %+v, want c1 at revision %d alone", out.Documents, revision)
		}
		return out.Documents["c1"].Digest
	}
	one, same, other := digest(1, "one"), digest(2, "one"), digest(3, "other")
	if !bytes.Equal(one, k.Index(digestPurpose, "one")) || !bytes.Equal(one, same) || bytes.Equal(one, other) {
		t.Errorf("digests %x %x %x", one, same, other)
	}
}

// Of several parts the digest is one of their digests, in their order.
func TestMarksDigestEveryPart(t *testing.T) {
	u, _, _ := newUplink(t)
	var wire key
	call(t, u.Open, `{"customer":"c1"}`, &wire)
	k := seal.Key{ID: seal.KeyID(wire.ID), Data: [32]byte(wire.Data), Identity: [32]byte(wire.Identity)}
	for _, p := range []struct {
		part, revision int
		text           string
	}{{0, 1, "first"}, {2, 3, "third"}, {1, 2, "second"}} {
		sealed := base64.StdEncoding.EncodeToString(seal.SealColumn(k, documentPurpose, []byte(p.text)))
		call(t, u.Put, fmt.Sprintf(`{"customer":"c1","part":%d,"revision":%d,"sealed":%q}`, p.part, p.revision, sealed), &struct{}{})
	}
	var all []byte
	for part, text := range []string{"first", "second", "third"} {
		all = append(fmt.Appendf(all, "%d ", part), k.Index(digestPurpose, text)...)
	}
	var out struct {
		Documents map[string]documentMark
	}
	call(t, u.Marks, `{"version":1,"customers":["c1"]}`, &out)
	if d := out.Documents["c1"]; d.Revision != 3 || !bytes.Equal(d.Digest, k.Index(digestPurpose, string(all))) {
		t.Errorf("%+v, want revision 3 and the digest of three digests", d)
	}
}

func TestMarksRefuseALaterForm(t *testing.T) {
	u, _, _ := newUplink(t)
	for _, bad := range []string{`{"version":2}`, `{}`, `[`} {
		if _, err := u.Marks(t.Context(), []byte(bad)); err == nil || !strings.Contains(err.Error(), "want") {
			t.Errorf("%s: error %v, want one that says what was expected", bad, err)
		}
	}
}
