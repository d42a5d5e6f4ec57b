package roster

import (
	"reflect"
	"testing"

	"vedetta/wire/roster"
)

// Panels that take less say the same, are found by their ids, and don't change
// with those they were made of.
func TestCompactPanelsSayTheSame(t *testing.T) {
	in := []roster.Panel{
		{ID: "p9", Name: "Villa", Listener: "main", Account: "12AB", Key: []byte("0123456789abcdef"), TimeZone: "Europe/Rome", Profile: "SP4", Prefix: text("0"), Zones: []roster.Zone{{Number: "1", Name: "Porta"}}},
		{ID: "p1", Name: "Villa", Listener: "main", Account: "12AC", Key: []byte("01234567"), TimeZone: "Europe/Rome"},
		{ID: "p5", Account: "77", Alternative: &roster.Path{PollSeconds: 9}},
		{},
	}
	l := Load(roster.Customer{ID: "c", Panels: in})
	n := 0
	for p := range l.Panels() {
		if !reflect.DeepEqual(*p, in[n]) {
			t.Errorf("panel %d is %+v, want %+v", n, *p, in[n])
		}
		if found, ok := l.Panel(in[n].ID); !ok || found != p {
			t.Errorf("panel %q is not found", in[n].ID)
		}
		n++
	}
	if _, ok := l.Panel("p2"); n != len(in) || ok {
		t.Errorf("%d panels, want %d; p2 found: %v", n, len(in), ok)
	}
	in[0].Key[0] = 'X'
	p, _ := l.Panel("p9")
	if string(p.Key) != "0123456789abcdef" {
		t.Error("the key changed with what it was made of")
	}
	p, _ = l.Panel("p1")
	if _ = append(p.Key, 'Y'); cap(p.Key) != len(p.Key) {
		t.Error("a key has room that is another's")
	}
}
