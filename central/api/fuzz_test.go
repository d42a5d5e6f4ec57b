package api

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"vedetta/central/premises"
)

// Law: a body is refused as no JSON, refused with fields named, or read; what
// was read is written so that reading it again gives the same, and an empty
// patch changes nothing.
func FuzzBodies(f *testing.F) {
	for _, s := range []string{
		`{"name":"Magazzino","account":"77aa","key":"text:0123456789abcdef","zones":[{"number":"1","name":"Porta"}],"prefix":null}`,
		`{"name":"Ugo","email":"ugo@vedetta.example","phone":"+390575123456","webhook":{"url":"https://hook.vedetta.example/x","secret":"whsec_x"},"push":[{"endpoint":"https://p.example","p256dh":"AA","auth":"BB"}]}`,
		`{"name":"Furto","panels":["p"],"categories":["burglary"],"days":[1,7],"from":"22:00","to":"06:00","steps":[{"contacts":["k"],"channels":["email"],"after_seconds":60,"repeat":2}],"enabled":false}`,
		`{"name":7,"adress":"y","zones":[{"nmae":"a"},3],"poll_seconds":1.5,"id":"mine"}`, `{"a":{"a":[{"a":1}]}}`, `{"name":"a","name":"b"}`, "{\"name\":\"\xff\"}", `{"name":"\ud800"}`, `[]`, `{} {}`, `{"poll_seconds":1e400}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := decode(body)
		if err != nil {
			var bad badBody
			if !errors.As(err, &bad) {
				t.Fatalf("refused with %T", err)
			}
			return
		}
		law(t, m, premises.NewPanel, readPanel, patchPanel, func(b *premises.PanelBody) *string { return &b.Key })
		law(t, m, premises.NewContact, readContact, patchContact, nil)
		law(t, m, premises.NewRule, readRule, patchRule, nil)
	})
}

func law[T any](t *testing.T, m map[string]any, fresh func() T, read func(map[string]any, *T) error, patch func(*T, map[string]any) error, key func(*T) *string) {
	t.Helper()
	b := fresh()
	if err := read(m, &b); err != nil {
		var f premises.Faults
		if !errors.As(err, &f) {
			t.Fatalf("refused with %T", err)
		}
		for _, v := range f {
			if v.Field == "" || v.Code == "" || v.Expected == "" {
				t.Fatalf("a fault without words: %+v", v)
			}
		}
		return
	}
	same := b
	if err := patch(&same, map[string]any{}); err != nil || !reflect.DeepEqual(b, same) {
		t.Fatalf("an empty patch changed it: %v\n%+v\n%+v", err, b, same)
	}
	text, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	again, err := decode(text)
	if err != nil {
		t.Fatalf("what was written isn't read: %v\n%s", err, text)
	}
	second := fresh()
	if key != nil && *key(&b) != "" {
		again["key"] = *key(&b)
	}
	if err := read(again, &second); err != nil {
		t.Fatalf("what was written isn't taken: %v\n%s", err, text)
	}
	if !reflect.DeepEqual(b, second) {
		t.Fatalf("read again it is another\n%+v\n%+v", b, second)
	}
}
