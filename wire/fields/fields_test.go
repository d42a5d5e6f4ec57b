package fields

import (
	"testing"

	"vedetta/wire/mesh"
)

func TestReader(t *testing.T) {
	o := mesh.Origin{Node: "arezzo", Incarnation: 3, Random: 7}
	p := Read([]byte(`{"n":-5,"u":18,"s":"Caffè","b":"AQI=","o":"` + o.String() + `","p":["` + o.String() + `.9","",` + `"agreement.1.4"]}`))
	p.Want(`{"n":`)
	n := p.Number()
	p.Want(`,"u":`)
	u := p.Natural()
	absent := p.Has(`,"x":`)
	p.Want(`,"s":`)
	s := p.String()
	p.Want(`,"b":`)
	b := p.Bytes()
	p.Want(`,"o":`)
	origin := p.Origin()
	p.Want(`,"p":`)
	var places []mesh.Position
	for p.Next(len(places)) {
		places = append(places, p.Position())
	}
	p.Want(`}`)
	if !p.Good() || n != -5 || u != 18 || absent || s != "Caffè" || string(b) != "\x01\x02" || origin != o || len(places) != 3 ||
		places[0] != (mesh.Position{Origin: o, Number: 9}) || !places[1].IsZero() || places[2] != (mesh.Position{Origin: mesh.Agreement(1), Number: 4}) {
		t.Errorf("good %v: %d %d %v %q %x %s %v", p.Good(), n, u, absent, s, b, origin, places)
	}
}

// TestWhatIsOtherwiseIsBad: it is for encoding/json to read, or to refuse.
func TestWhatIsOtherwiseIsBad(t *testing.T) {
	for text, read := range map[string]func(*Reader){
		`01`:                  func(p *Reader) { p.Natural() },
		`-0`:                  func(p *Reader) { p.Number() },
		`-1`:                  func(p *Reader) { p.Natural() },
		`1.5`:                 func(p *Reader) { p.Natural() },
		`1234567890123456789`: func(p *Reader) { p.Natural() },
		``:                    func(p *Reader) { p.Natural() },
		`"a\"b"`:              func(p *Reader) { _ = p.String() },
		"\"a\x01\"":           func(p *Reader) { _ = p.String() },
		"\"a\xff\"":           func(p *Reader) { _ = p.String() },
		`"a`:                  func(p *Reader) { _ = p.String() },
		`"a" `:                func(p *Reader) { _ = p.String() },
		`"A==="`:              func(p *Reader) { p.Bytes() },
		`"AQJ="`:              func(p *Reader) { p.Bytes() },
		`"arezzo"`:            func(p *Reader) { p.Origin() },
		`"agreement.1.0"`:     func(p *Reader) { p.Position() },
		`"01"`:                func(p *Reader) { p.Position() }, // neither an origin nor a dot
		`".1"`:                func(p *Reader) { p.Position() },
		`["agreement.1.2","agreement.1.02"]`: func(p *Reader) {
			for n := 0; p.Next(n); n++ {
				p.Position()
			}
		},
		`[]`: func(p *Reader) {
			for n := 0; p.Next(n); n++ {
				p.Natural()
			}
		},
	} {
		p := Read([]byte(text))
		if read(&p); p.Good() {
			t.Errorf("%q was read", text)
		}
	}
}
