package roster

import (
	"reflect"
	"testing"
)

// Law: a document that is read is written, and read again as the same.
func FuzzUnmarshal(f *testing.F) {
	c := Customer{ID: "c1", Panels: []Panel{{ID: "p", Account: "1234", Key: []byte("0123456789abcdef"), Reception: &Reception{Ack: AckAll, NextKey: []byte{1}}}}}
	b, err := Marshal(c)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(`{"version":1,"panels":[{"reception":null,"prefix":"0"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Unmarshal(b)
		if err != nil {
			return
		}
		again, err := Marshal(c)
		if err != nil {
			t.Fatalf("%q can't be written: %v", b, err)
		}
		d, err := Unmarshal(again)
		if err != nil {
			t.Fatalf("%q can't be read again: %v", again, err)
		}
		third, err := Marshal(d)
		if err != nil || string(third) != string(again) || len(c.Panels) != len(d.Panels) {
			t.Fatalf("%q became %q", again, third)
		}
		for i := range c.Panels {
			if !reflect.DeepEqual(c.Panels[i].Settings(), d.Panels[i].Settings()) && len(c.Panels[i].Settings().NextKey)+len(c.Panels[i].Settings().PreviousKey) > 0 {
				t.Fatalf("settings %+v became %+v", c.Panels[i].Settings(), d.Panels[i].Settings())
			}
		}
	})
}
