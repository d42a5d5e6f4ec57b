package api_test

import (
	"fmt"
	"testing"
	"time"

	"vedetta/central/centraltest"
)

// TestUnknownPanelsByAPI: an operator's key lists, opens and adopts; a
// customer's key, all scopes too, sees nothing of it.
func TestUnknownPanelsByAPI(t *testing.T) {
	c := newClient(t)
	now := time.Now()
	prefix := "0"
	key := []byte("0123456789abcdef")
	centraltest.Stranger{At: now.Add(-2 * time.Minute), Account: "F00D", Prefix: &prefix, Blocks: "[#F00D|Nri1/FA007^CUCINA^]", Sequence: 1}.Hold(c.s.Mesh)
	centraltest.Stranger{At: now.Add(-time.Minute), Account: "F00D", Prefix: &prefix, Blocks: "[#F00D|Nri1/BA002]", Sequence: 2, Key: key}.Hold(c.s.Mesh)
	if err := c.s.Ingest.Apply(t.Context(), c.s.Mesh.Records()); err != nil {
		t.Fatal(err)
	}
	for _, r := range []reply{c.do("GET", "/unknown-panels", ""), c.do("GET", "/customers", ""), c.do("POST", "/unknown-panels/x/adopt", `{"customer_id":"c"}`), c.do("GET", "/adoptions/x", "")} {
		c.want(r, 403, "")
	}
	c.key = centraltest.OperatorKey
	c.want(c.do("GET", "/panels", ""), 403, "") // it isn't in the key's scopes
	list := c.want(c.do("GET", "/unknown-panels?limit=10", ""), 200, "")
	items := list.body["items"].([]any)
	if len(items) != 1 {
		t.Fatalf("%s", list.text)
	}
	id := items[0].(map[string]any)["id"].(string)
	c.want(c.do("GET", "/unknown-panels/"+id, ""), 200, "")
	c.want(c.do("GET", "/unknown-panels/none", ""), 404, "")
	c.want(c.do("GET", "/unknown-panels?limit=0", ""), 400, "")
	c.want(c.do("GET", "/unknown-panels?cursor=x", ""), 400, "")
	c.want(c.do("GET", "/adoptions/none", ""), 404, "")
	c.want(c.do("GET", "/customers", ""), 200, "")

	adopt := "/unknown-panels/" + id + "/adopt"
	c.want(c.do("POST", adopt, `{}`), 422, "customer_id required")
	c.want(c.do("POST", adopt, `{"customer_id":"nobody","name":"X"}`), 422, "customer_id no_customer")
	c.want(c.do("POST", adopt, `{"customer_id":"`+centraltest.Customer+`","name":"X","account":"F00D"}`), 422, "account read_only")
	c.want(c.do("POST", adopt, `{"customer_id":"`+centraltest.Customer+`","panel_id":"x","name":"X"}`), 422, "name unknown_field")
	c.want(c.do("POST", adopt, `{"customer_id":"`+centraltest.Customer+`","name":"X","key":"hex:00000000000000000000000000000000"}`), 422, "key held_unopened")
	c.want(c.do("POST", adopt, `{"customer_id":"`+centraltest.Customer+`","key":"0123456789abcdef"}`), 422, "name required")
	made := c.want(c.do("POST", adopt, fmt.Sprintf(`{"customer_id":%q,"name":"Magazzino","key":%q,"tell":"all"}`, centraltest.Customer, key)), 201, "")
	c.want(c.do("GET", "/adoptions/"+made.id(), ""), 200, "")
	if err := c.s.Publisher.Flush(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := c.s.Discovery.Carry(t.Context(), now); err != nil {
			t.Fatal(err)
		}
	}
	done := c.want(c.do("GET", "/adoptions/"+made.id(), ""), 200, "")
	if done.body["state"] != "done" || done.body["adopted"] != 2.0 || done.body["tell"] != "all" {
		t.Errorf("%s", done.text)
	}
	if r := c.do("GET", "/unknown-panels", ""); len(r.body["items"].([]any)) != 0 {
		t.Errorf("adopted, and still unknown: %s", r.text)
	}
}
