package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"vedetta/central/centraltest"
)

// What a hostile or careless program sends is answered by a problem, soon, and
// never by an error of ours.
func TestHostileBodies(t *testing.T) {
	c := newClient(t)
	many := strings.TrimSuffix(strings.Repeat(`"k",`, 200_000), ",")
	bodies := map[string]string{
		"many ids":         `{"name":"a","panels":[` + many + `],"codes":[` + many + `],"steps":[{"contacts":[` + many[:400_001] + `0"]}]}`,
		"many steps":       `{"name":"a","steps":[` + strings.TrimSuffix(strings.Repeat(`{},`, 300_000), ",") + `]}`,
		"many members":     `{` + members(60_000) + `}`,
		"many zones":       `{"name":"a","account":"123","zones":[` + strings.TrimSuffix(strings.Repeat(`{"number":"1","name":"b"},`, 30_000), ",") + `]}`,
		"many faults":      `{"name":"a","account":"123","zones":[` + strings.TrimSuffix(strings.Repeat(`1,`, 400_000), ",") + `]}`,
		"huge number":      `{"name":"a","account":"123","poll_seconds":1` + strings.Repeat("0", 1000) + `}`,
		"long text":        `{"name":"` + strings.Repeat("è", 400_000) + `","account":"` + strings.Repeat("1", 100_000) + `"}`,
		"names with marks": `{"name":"\u202egnp.exe","account":"123"}`,
		"null everything":  `{"id":null,"name":null,"account":null,"steps":null,"email":null,"zones":null}`,
		"id of another":    `{"id":"` + centraltest.House + `","name":"a","account":"123"}`,
	}
	for name, body := range bodies {
		for _, path := range []string{"/panels", "/contacts", "/rules"} {
			began := time.Now()
			r := c.do("POST", path, body)
			if r.status != 400 && r.status != 413 && r.status != 422 {
				t.Errorf("%s to %s: status %d: %.300s", name, path, r.status, r.text)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("%s to %s took %v", name, path, took)
			}
			if len(r.text) > 64<<10 {
				t.Errorf("%s to %s: an answer of %d bytes", name, path, len(r.text))
			}
		}
	}
	for _, path := range []string{"/panels/..%2f..%2fx", "/panels/" + strings.Repeat("a", 5000), "/contacts/%00", "/rules/'%20OR%201=1--"} {
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			if r := c.do(method, path, ""); r.status != 404 {
				t.Errorf("%s %.40s: %d", method, path, r.status)
			}
		}
	}
}

func members(n int) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = fmt.Sprintf(`"m%d":1`, i)
	}
	return strings.Join(parts, ",")
}

// Without the mesh nothing can be read, and the answer says so; without its
// acknowledgement a change is made all the same, and says that it isn't in force.
func TestMeshDown(t *testing.T) {
	c := newClient(t)
	c.s.Mesh.SetDown(true)
	r := c.want(c.do("PATCH", "/panels/"+centraltest.House, `{"name":"Villa"}`), 200, "")
	if r.body["in_force"] != false {
		t.Error(r.text)
	}
	c.s.Mesh.SetDown(false)
	c.s.Ring.Destroyed(centraltest.Customer, 0)
	for _, path := range []string{"/panels", "/contacts", "/rules", "/panels/" + centraltest.House} {
		if r := c.want(c.do("GET", path, ""), 503, ""); r.header.Get("Retry-After") == "" {
			t.Error(r.header)
		}
	}
	c.want(c.do("POST", "/panels", `{"name":"a","account":"123"}`), 503, "")
	c.want(c.do("DELETE", "/rules/r-all", ""), 503, "")
}
