// Package watch shows an installer at a terminal the attempts of one panel as
// they come to all datacenters: what arrived, why it was refused and what to do,
// as text or as a line of JSON each. It knows central by its API only and owns
// no goroutine.
package watch

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	wire "vedetta/wire/watch"
)

// Exit codes.
const (
	exitDone   = 0
	exitFault  = 1
	exitUsage  = 64
	exitNobody = 69
)

// Options of `vedettactl panels watch`.
type Options struct {
	Account   string `arg:"" help:"Account that the panel is expected to report under, as it is entered in Vedetta."`
	API       string `name:"api" default:"http://127.0.0.1:8080" help:"Central, as browsers reach it."`
	Key       string `name:"key" env:"VEDETTACTL_API_KEY" help:"API key, vdt_..."`
	KeyFile   string `name:"key-file" help:"File with the API key instead."`
	Panel     string `name:"panel" placeholder:"ID" help:"Which one, where several panels have the account."`
	Everybody bool   `name:"everybody" help:"An operator: all attempts that name the account or resemble it, whosever they are."`
	Once      bool   `name:"once" help:"Print what is kept and end."`
	Language  string `name:"language" enum:"en,it" default:"en" help:"Language of the sentences: en or it."`
	JSON      bool   `name:"json" help:"One line of JSON per attempt, as the API tells it."`
}

// node is how one datacenter stands.
type node struct {
	Node     string `json:"node"`
	Site     string `json:"site"`
	Watching bool   `json:"watching"`
}

// again is until central is asked again after it had gone.
const again = 2 * time.Second

// Run watches until ctx ends; the exit code is 1 when no panel has the account
// or the key may not look, 69 when central can't be reached at all.
func Run(ctx context.Context, o Options, out, errOut io.Writer) int {
	w := &watch{Options: o, out: out, errOut: errOut, told: map[string]bool{}}
	code, err := w.run(ctx)
	if err != nil {
		fmt.Fprintln(errOut, "vedettactl:", err)
	}
	return code
}

type watch struct {
	Options
	out, errOut io.Writer
	told        map[string]bool // id of an attempt -> its event was told too
}

// refused is an answer of central that asking again doesn't change.
type refused struct {
	status int
	detail string
}

func (r refused) Error() string { return fmt.Sprintf("central answered %d: %s", r.status, r.detail) }

func (w *watch) run(ctx context.Context) (int, error) {
	if w.KeyFile != "" {
		b, err := os.ReadFile(w.KeyFile)
		if err != nil {
			return exitUsage, fmt.Errorf("--key-file: %w", err)
		}
		w.Key = strings.TrimSpace(string(b))
	}
	if w.Key == "" {
		return exitUsage, errors.New("want an API key: --key, --key-file or VEDETTACTL_API_KEY")
	}
	path := "/api/v1/attempts"
	query := url.Values{"account": {w.Account}}
	if !w.Everybody {
		id, err := w.find(ctx)
		if err != nil {
			return exitOf(err), err
		}
		path, query = "/api/v1/panels/"+url.PathEscape(id)+"/attempts", nil
	}
	if w.Once {
		err := w.once(ctx, path, query)
		return exitOf(err), err
	}
	for {
		err := w.follow(ctx, path+"/stream", query)
		if ctx.Err() != nil {
			return exitDone, nil
		}
		if r, ok := errors.AsType[refused](err); ok && r.status != http.StatusTooManyRequests && r.status < 500 {
			return exitFault, err
		}
		fmt.Fprintf(w.errOut, "vedettactl: %v; asked again in %s\n", err, again)
		select {
		case <-ctx.Done():
			return exitDone, nil
		case <-time.After(again):
		}
	}
}

func exitOf(err error) int {
	_, answered := errors.AsType[refused](err)
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errUsage):
		return exitUsage
	case answered || errors.Is(err, errNone):
		return exitFault
	}
	return exitNobody
}

var (
	errUsage = errors.New("wrong usage")
	errNone  = errors.New("no panel")
)

// find is the panel with the account; where there is none, those that resemble it
// are named, as the slip may be here.
func (w *watch) find(ctx context.Context) (string, error) {
	type panel struct {
		ID, Name, Account string
		Prefix, Receiver  *string
	}
	var fits, near []panel
	for cursor := ""; ; {
		var page struct {
			Items []panel
			Next  *string
		}
		q := url.Values{"limit": {"1000"}}
		if cursor != "" {
			q.Set("cursor", cursor)
		}
		if err := w.get(ctx, "/api/v1/panels", q, &page); err != nil {
			return "", err
		}
		for _, p := range page.Items {
			switch {
			case w.Panel != "" && p.ID != w.Panel:
			case w.Panel != "" || strings.EqualFold(p.Account, w.Account):
				fits = append(fits, p)
			case wire.Resembles(p.Account, w.Account):
				near = append(near, p)
			}
		}
		if page.Next == nil {
			break
		}
		cursor = *page.Next
	}
	describe := func(list []panel) string {
		var names []string
		for _, p := range list {
			name := fmt.Sprintf("%s %q", p.Account, p.Name)
			if p.Prefix != nil {
				name += " L" + *p.Prefix
			}
			if p.Receiver != nil {
				name += " R" + *p.Receiver
			}
			names = append(names, name+" (--panel "+p.ID+")")
		}
		return strings.Join(names, ", ")
	}
	switch {
	case len(fits) == 1:
		if !w.JSON {
			fmt.Fprintf(w.out, "Panel %q, account %s. Ctrl-C ends.\n", fits[0].Name, fits[0].Account)
		}
		return fits[0].ID, nil
	case len(fits) > 1:
		return "", fmt.Errorf("several panels have account %s, say which: %s: %w", w.Account, describe(fits), errUsage)
	case len(near) > 0:
		return "", fmt.Errorf("%w has account %s here; these resemble it: %s", errNone, w.Account, describe(near))
	}
	return "", fmt.Errorf("%w has account %s here: enter it first, with the account that the panel reports under", errNone, w.Account)
}

// request sends a GET; an answer that is none of 200 is a refused.
func (w *watch) request(ctx context.Context, path string, q url.Values) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(w.API, "/")+path+"?"+q.Encode(), nil)
	if err != nil || req.URL.Host == "" {
		return nil, fmt.Errorf("--api %q: want a URL as https://vedetta.example: %w", w.API, errUsage)
	}
	req.Header.Set("Authorization", "Bearer "+w.Key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close() //nolint:errcheck // it was refused
	var problem struct{ Title, Detail string }
	_ = json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&problem) // what can't be read says nothing
	if problem.Detail == "" {
		problem.Detail = http.StatusText(resp.StatusCode)
	}
	return nil, refused{resp.StatusCode, problem.Detail}
}

func (w *watch) get(ctx context.Context, path string, q url.Values, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	resp, err := w.request(ctx, path, q)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		return fmt.Errorf("central's answer: %w", err)
	}
	return nil
}

// once prints what is kept, oldest first.
func (w *watch) once(ctx context.Context, path string, q url.Values) error {
	var page struct {
		Items []json.RawMessage
		Nodes []node
	}
	if err := w.get(ctx, path, q, &page); err != nil {
		return err
	}
	w.nodes(page.Nodes)
	for i := len(page.Items) - 1; i >= 0; i-- {
		if err := w.attempt(page.Items[i]); err != nil {
			return err
		}
	}
	return nil
}

// follow prints what the stream tells, until it ends.
func (w *watch) follow(ctx context.Context, path string, q url.Values) error {
	resp, err := w.request(ctx, path, q)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // the end of it
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	name := ""
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch {
		case field == "event":
			name = value
		case field == "data" && name == "attempt":
			err = w.attempt([]byte(value))
		case field == "data" && name == "nodes":
			var list []node
			if err = json.Unmarshal([]byte(value), &list); err == nil {
				w.nodes(list)
			}
		case field == "data" && name == "lost":
			fmt.Fprintln(w.errOut, "vedettactl: attempts came too fast to be shown:", value)
		}
		if err != nil {
			return fmt.Errorf("central's stream: %w", err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("central's stream: %w", err)
	}
	return errors.New("central ended the stream")
}
