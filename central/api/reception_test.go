package api_test

import (
	"strings"
	"testing"
)

const usual = `"reception":null`

// A panel's reception settings: what is left out is as usual, what is read can be
// written back, what weakens a promise is warned of.
func TestReceptionByAPI(t *testing.T) {
	c := newClient(t)
	r := c.want(c.do("POST", "/panels", `{"name":"a","account":"77ab"}`), 201, "")
	if !strings.Contains(r.text, usual) {
		t.Error(r.text)
	}
	one := "/panels/" + r.id()
	r = c.want(c.do("PATCH", one, `{"reception":{"ack":"all","behind_seconds":120,"local_time":true}}`), 200, "")
	const set = `"reception":{"time_window":true,"behind_seconds":120,"ahead_seconds":20,"local_time":true,"duplicate_seconds":600,"answer":"auto","allow_plain":false,"ack":"all","unknown_token":"duh","strict_account":false,"opaque_account":false,"text":"auto"}`
	if !strings.Contains(r.text, set) {
		t.Error(r.text)
	}
	if r = c.want(c.do("PATCH", one, r.text), 200, ""); !strings.Contains(r.text, set) {
		t.Error(r.text)
	}
	r = c.want(c.do("PATCH", one, `{"key":"text:0123456789abcdef","reception":{"ack":"local","allow_plain":true,"time_window":false,"behind_seconds":null,"local_time":null,
		"duplicate_seconds":60,"answer":"received","unknown_token":"ack","strict_account":true,"text":"utf-8","ahead_seconds":5}}`), 200, "")
	for _, want := range []string{`"behind_seconds":40,"ahead_seconds":5,"local_time":false,"duplicate_seconds":60,"answer":"received"`, `"ack_local"`, `"plain_allowed"`, `"window_off"`} {
		if !strings.Contains(r.text, want) {
			t.Errorf("%s, want %s", r.text, want)
		}
	}
	for body, want := range map[string]string{
		`{"reception":{"ack":"none"}}`:                                "reception.ack one_of",
		`{"reception":{"behind_seconds":0}}`:                          "reception.behind_seconds range",
		`{"reception":{"duplicate_seconds":3601}}`:                    "reception.duplicate_seconds range",
		`{"reception":{"answer":"ascii"}}`:                            "reception.answer one_of",
		`{"reception":{"text":"latin1"}}`:                             "reception.text one_of",
		`{"reception":{"unknown_token":1}}`:                           "reception.unknown_token type",
		`{"reception":{"window":true}}`:                               "reception.window unknown_field",
		`{"reception":{"opaque_account":true,"strict_account":true}}`: "reception.opaque_account strict_or_opaque",
	} {
		c.want(c.do("PATCH", one, body), 422, want)
	}
	if r = c.want(c.do("PATCH", one, `{"reception":null}`), 200, ""); !strings.Contains(r.text, usual) || strings.Contains(r.text, "ack_local") {
		t.Error(r.text)
	}
	c.want(c.do("POST", "/panels", `{"name":"b","account":"foc7688"}`), 422, "account account_form")
	c.want(c.do("POST", "/panels", `{"name":"b","account":"foc 7688","reception":{"opaque_account":true}}`), 422, "account account_opaque")
	r = c.want(c.do("POST", "/panels", `{"name":"b","account":"foc7688","reception":{"opaque_account":true}}`), 201, "")
	if r.body["account"] != "FOC7688" {
		t.Error(r.text)
	}
}

// The next key is set, promoted and dropped; none of the three is ever shown.
func TestKeyRingByAPI(t *testing.T) {
	c := newClient(t)
	state := func(r reply) string {
		t.Helper()
		for _, secret := range []string{"0123456789abcdef", "fedcba9876543210", "MDEyMzQ1", "ZmVkY2Jh"} {
			if strings.Contains(r.text, secret) {
				t.Errorf("a key is shown: %s", r.text)
			}
		}
		s := ""
		for _, name := range []string{"key", "next_key"} {
			if r.body[name+"_set"] == true {
				s += name + " " + r.body[name+"_form"].(string) + " "
			}
		}
		if r.body["previous_key_until"] != nil {
			s += "previous"
		}
		return strings.TrimSpace(s)
	}
	r := c.want(c.do("POST", "/panels", `{"name":"a","account":"77ab","key":"text:0123456789abcdef"}`), 201, "")
	one := "/panels/" + r.id()
	c.want(c.do("POST", one+"/promote-key", `{}`), 422, "next_key no_next_key")
	c.want(c.do("PATCH", one, `{"next_key":"short"}`), 422, "next_key key_form")
	c.want(c.do("PATCH", one, `{"next_key":""}`), 422, "next_key key_form")
	c.want(c.do("PATCH", one, `{"next_key":"hex:30313233343536373839616263646566"}`), 422, "next_key key_same")
	if r = c.want(c.do("PATCH", one, `{"next_key":"hex:66656463626139383736353433323130"}`), 200, ""); state(r) != "key text next_key hex" {
		t.Error(state(r))
	}
	if r = c.want(c.do("PATCH", one, `{"name":"another"}`), 200, ""); state(r) != "key text next_key hex" {
		t.Errorf("a change of the name changed the keys: %s", state(r))
	}
	if r = c.want(c.do("PATCH", one, `{"next_key":null}`), 200, ""); state(r) != "key text" {
		t.Error(state(r))
	}
	c.want(c.do("PATCH", one, `{"next_key":"fedcba9876543210"}`), 200, "")
	c.want(c.do("POST", one+"/promote-key", `{"previous_seconds":-1}`), 422, "previous_seconds range")
	c.want(c.do("POST", one+"/promote-key", `{"keep":1}`), 422, "keep unknown_field")
	c.want(c.do("POST", one+"/promote-key", "", "If-Match", `"x"`), 412, "")
	if r = c.want(c.do("POST", one+"/promote-key", "", "If-Match", c.want(c.do("GET", one, ""), 200, "").header.Get("ETag")), 200, ""); state(r) != "key text previous" {
		t.Error(state(r))
	}
	c.want(c.do("PATCH", one, `{"previous_key_until":"2030-01-01T00:00:00.000Z"}`), 422, "previous_key_until read_only")
	if r = c.want(c.do("PATCH", one, r.text), 200, ""); state(r) != "key text previous" {
		t.Errorf("what was read can't be written back: %s", state(r))
	}
	if r = c.want(c.do("PATCH", one, `{"previous_key_until":null}`), 200, ""); state(r) != "key text" {
		t.Error(state(r))
	}
	c.want(c.do("PATCH", one, `{"next_key":"0123456789abcdef"}`), 200, "")
	if r = c.want(c.do("POST", one+"/promote-key", `{"previous_seconds":0}`), 200, ""); state(r) != "key text" {
		t.Error(state(r))
	}
	c.want(c.do("POST", "/panels/nosuch/promote-key", `{}`), 404, "")
}
