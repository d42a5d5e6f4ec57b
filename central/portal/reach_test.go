package portal

import (
	"reflect"
	"testing"

	"vedetta/wire/event"
	"vedetta/wire/roster"
)

// What reaches nobody is told, always or at some times only, and nothing else.
func TestGapsOfLifeSafety(t *testing.T) {
	mail := roster.Contact{ID: "anna", Addresses: []roster.Address{{ID: "a", Channel: "email"}}}
	phone := roster.Contact{ID: "marco", Addresses: []roster.Address{{ID: "b", Channel: "sms"}}}
	house, shop := roster.Panel{ID: "house"}, roster.Panel{ID: "shop"}
	to := func(contact string, channels ...string) []roster.Step {
		return []roster.Step{{Contacts: []string{contact}, Channels: channels}}
	}
	all := func(r roster.Rule) roster.Rule { r.Enabled = true; return r }
	every := func(panels []string, sometimes bool) (out []gap) {
		for _, c := range event.Categories() {
			if c.LifeSafety() {
				out = append(out, gap{c, panels, sometimes})
			}
		}
		return out
	}
	without := func(list []gap, c event.Category) (out []gap) {
		for _, g := range list {
			if g.Category != c {
				out = append(out, g)
			}
		}
		return out
	}
	for name, c := range map[string]struct {
		rules []roster.Rule
		want  []gap
	}{
		"no rule":              {nil, every(nil, false)},
		"everything to anna":   {[]roster.Rule{all(roster.Rule{Steps: to("anna")})}, nil},
		"to all contacts":      {[]roster.Rule{all(roster.Rule{Steps: []roster.Step{{}}})}, nil},
		"switched off":         {[]roster.Rule{{Steps: to("anna")}}, every(nil, false)},
		"only restores":        {[]roster.Rule{all(roster.Rule{Steps: to("anna"), Qualifiers: []string{"restore"}})}, every(nil, false)},
		"by a channel of none": {[]roster.Rule{all(roster.Rule{Steps: to("anna", "webpush")})}, every(nil, false)},
		"to a phone":           {[]roster.Rule{all(roster.Rule{Steps: to("marco")})}, every(nil, false)},
		"to nobody any more":   {[]roster.Rule{all(roster.Rule{Steps: to("carla")})}, every(nil, false)},
		"second step reaches":  {[]roster.Rule{all(roster.Rule{Steps: append(to("marco"), to("anna")...)})}, nil},
		"only one zone":        {[]roster.Rule{all(roster.Rule{Steps: to("anna"), Zones: []string{"3"}})}, every(nil, true)},
		"only fire":            {[]roster.Rule{all(roster.Rule{Steps: to("anna"), Categories: []string{"fire"}})}, without(every(nil, false), event.Fire)},
		"only the house":       {[]roster.Rule{all(roster.Rule{Steps: to("anna"), Panels: []string{"house"}})}, every([]string{"shop"}, false)},
		"only at night":        {[]roster.Rule{all(roster.Rule{Steps: to("anna"), From: "22:00", To: "06:00"})}, every(nil, true)},
		"only on Sundays":      {[]roster.Rule{all(roster.Rule{Steps: to("anna"), Days: []int{7}})}, every(nil, true)},
		"night and day": {[]roster.Rule{all(roster.Rule{Steps: to("anna"), From: "22:00", To: "06:00"}),
			all(roster.Rule{Steps: to("anna"), From: "06:00", To: "22:00"})}, nil},
		"a minute is missing": {[]roster.Rule{all(roster.Rule{Steps: to("anna"), From: "22:00", To: "06:00"}),
			all(roster.Rule{Steps: to("anna"), From: "06:01", To: "22:00"})}, every(nil, true)},
		"Sunday's night goes on into Monday": {[]roster.Rule{all(roster.Rule{Steps: to("anna"), Days: []int{7}, From: "12:00", To: "11:59"}),
			all(roster.Rule{Steps: to("anna"), Days: []int{1}, From: "11:59", To: "24:00"}), all(roster.Rule{Steps: to("anna"), Days: []int{2, 3, 4, 5, 6}}),
			all(roster.Rule{Steps: to("anna"), Days: []int{7}, From: "00:00", To: "12:00"})}, nil},
		"whole day written out": {[]roster.Rule{all(roster.Rule{Steps: to("anna"), From: "00:00", To: "24:00"})}, nil},
	} {
		got := gaps(roster.Customer{Panels: []roster.Panel{house, shop}, Contacts: []roster.Contact{mail, phone}, Rules: c.rules})
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v\nwant %+v", name, got, c.want)
		}
	}
	if got := gaps(roster.Customer{}); got != nil {
		t.Errorf("without panels: %+v", got)
	}
}
