package api_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"

	"vedetta/central/api"
	"vedetta/central/centraltest"
)

// client calls the API and holds every request and answer against
// openapi.yaml: answers always, requests when they were taken.
type client struct {
	t   *testing.T
	s   *centraltest.Service
	url string
	key string
	v   validator.Validator
}

func newClient(t *testing.T) *client {
	t.Helper()
	s, srv := serve(t)
	return &client{t, s, srv.URL, centraltest.APIKey, contract(t)}
}

func contract(t *testing.T) validator.Validator {
	t.Helper()
	b, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := libopenapi.NewDocument(b)
	if err != nil {
		t.Fatal(err)
	}
	v, errs := validator.NewValidator(doc)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return v
}

// reply is an answer whose body was read.
type reply struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

// errors are "field code" of a problem.
func (r reply) errors() string {
	var out []string
	list, _ := r.body["errors"].([]any)
	for _, e := range list {
		f := e.(map[string]any)
		out = append(out, f["field"].(string)+" "+f["code"].(string))
	}
	return strings.Join(out, ", ")
}

func (r reply) id() string { id, _ := r.body["id"].(string); return id }

// do sends one request; header holds names and values by turns.
func (c *client) do(method, path, body string, header ...string) reply {
	c.t.Helper()
	req := c.request(method, path, body, header...)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		c.t.Fatal(err)
	}
	out := reply{status: resp.StatusCode, header: resp.Header, text: string(text)}
	if len(text) > 0 && strings.HasSuffix(resp.Header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(text, &out.body); err != nil {
			c.t.Fatalf("%s %s: %v: %s", method, path, err, text)
		}
	}
	switch resp.StatusCode {
	case http.StatusMethodNotAllowed: // what is not described
	default:
		resp.Body = io.NopCloser(bytes.NewReader(text))
		if ok, errs := c.v.ValidateHttpResponse(req, resp); !ok {
			for _, e := range errs {
				c.t.Errorf("%s %s: answer %d breaks the contract: %v %v\n%s", method, path, resp.StatusCode, e.Message, e.SchemaValidationErrors, text)
			}
		}
	}
	if resp.StatusCode < 300 {
		if ok, errs := c.v.ValidateHttpRequest(c.request(method, path, body, header...)); !ok {
			for _, e := range errs {
				c.t.Errorf("%s %s: a request that was taken breaks the contract: %v %v\n%s", method, path, e.Message, e.SchemaValidationErrors, body)
			}
		}
	}
	return out
}

func (c *client) request(method, path, body string, header ...string) *http.Request {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+"/api/v1"+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return req
}

// want fails unless the answer has the status and complains of these fields.
func (c *client) want(r reply, status int, errors string) reply {
	c.t.Helper()
	if r.status != status || r.errors() != errors {
		c.t.Errorf("status %d, errors %q, want %d and %q: %s", r.status, r.errors(), status, errors, r.text)
	}
	if r.status >= 400 && r.header.Get("Content-Type") != "application/problem+json" {
		c.t.Errorf("an error as %s", r.header.Get("Content-Type"))
	}
	return r
}

func TestContractIsValid(t *testing.T) {
	if ok, errs := contract(t).ValidateDocument(); !ok {
		for _, e := range errs {
			t.Errorf("%v %v", e.Message, e.SchemaValidationErrors)
		}
	}
}

// Everything that is answered is described, and the other way round.
func TestContractDescribesEveryRoute(t *testing.T) {
	s := centraltest.NewService(t, at)
	a := api.New(api.Config{}, api.Parts{DB: s.DB, Ring: s.Ring, Accounts: s.Accounts, History: s.History, Premises: s.Premises, Discovery: s.Discovery}, slog.New(slog.DiscardHandler))
	a.Handler()
	b, err := os.ReadFile("openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := libopenapi.NewDocument(b)
	if err != nil {
		t.Fatal(err)
	}
	model, err := doc.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	described := []string{}
	for path, item := range model.Model.Paths.PathItems.FromOldest() {
		for method := range item.GetOperations().FromOldest() {
			described = append(described, strings.ToUpper(method)+" /api/v1"+path)
		}
	}
	described = slices.DeleteFunc(described, func(r string) bool { return r == "GET /api/v1/openapi.yaml" }) // without a key
	routes := a.Routes()
	slices.Sort(routes)
	slices.Sort(described)
	if !slices.Equal(routes, described) {
		t.Errorf("answered:  %v\ndescribed: %v", routes, described)
	}
	if len(routes) != 34 {
		t.Errorf("%d routes, want 34", len(routes))
	}
	srv := httptest.NewServer(a.Handler())
	defer srv.Close()
	if r, body := get(t, srv.URL+"/api/v1/openapi.yaml", ""); r.StatusCode != 200 || body != string(b) {
		t.Error("the description is not served as it is")
	}
}
