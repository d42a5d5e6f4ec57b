package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"vedetta/cluster/env"
	"vedetta/ops/catcher"
	"vedetta/ops/panel"
)

// Options of `vedettactl local up`.
type Options struct {
	Data         string
	BasePort     int
	JSON         bool
	RestartAfter time.Duration
	NoRestart    bool
	Bin          string // folder of the programs
	ReadyWithin  time.Duration
}

// Description is what --json prints when everything is ready.
type Description struct {
	Central    string            `json:"central"`
	CentralPID int               `json:"central_pid"`
	Nodes      []NodeDescription `json:"nodes"`
	Catcher    string            `json:"catcher"`
	Demo       Demo              `json:"demo"`
	APIKey     string            `json:"api_key"`
	Operator   Operator          `json:"operator"`
}

// NodeDescription is one node of it.
type NodeDescription struct {
	Name    string  `json:"name"`
	Site    string  `json:"site"`
	DC09    string  `json:"dc09"`     // host:port, TCP and UDP
	DC09TLS *string `json:"dc09_tls"` // host:port; the certificate is of DATA/pki/ca.pem
	Status  string  `json:"status"`
	PID     int     `json:"pid"`
}

// DescriptionFile is where Up leaves the description, for `local demo`.
const DescriptionFile = "local.json"

// Up prepares the data folder, starts everything, prints the description and
// runs until ctx ends; then all is stopped.
func Up(ctx context.Context, o Options, e env.Env, out, errOut io.Writer) error {
	data, err := filepath.Abs(o.Data)
	if err != nil {
		return err
	}
	if o.BasePort < 1024 || o.BasePort > 65000 {
		return fmt.Errorf("--base-port %d: want 1024 to 65000", o.BasePort)
	}
	p := plan{data: data, base: o.BasePort}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	unlock, err := lock(p.path("local.lock"))
	if err != nil {
		return err
	}
	defer unlock()
	if err := p.checkPorts(); err != nil {
		return err
	}
	catch, err := catcher.New(catcher.Config{HTTP: p.address(offsetCatcherHTTP), SMTP: p.address(offsetCatcherSMTP), File: p.path("catcher.jsonl")}, e.Split("catcher"))
	if err != nil {
		return err
	}
	if err := prepare(ctx, p, o.Bin, catch); err != nil {
		return fmt.Errorf("preparing %s: %w", data, err)
	}
	if o.ReadyWithin == 0 {
		o.ReadyWithin = time.Minute
	}
	say := func(format string, args ...any) { fmt.Fprintf(errOut, "local: "+format+"\n", args...) }

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return catch.Run(ctx) })
	processes := map[string]*process{}
	for _, name := range append(sites(), "central") {
		program := "vedetta-node"
		if name == "central" {
			program = "vedetta-central"
		}
		pr := &process{
			name: name, path: filepath.Join(o.Bin, program), args: []string{"run", "--config", p.path("config", name+".yaml")},
			logPath: p.path("log", name+".log"), restartAfter: o.RestartAfter, noRestart: o.NoRestart, say: say,
		}
		processes[name] = pr
		g.Go(func() error { return pr.Run(ctx) })
	}
	g.Go(func() error {
		if err := awaitReady(ctx, p, o.ReadyWithin); err != nil {
			return err
		}
		d, err := describe(p, processes)
		if err != nil {
			return err
		}
		if err := awaitRoster(ctx, d, o.ReadyWithin); err != nil {
			return err
		}
		return announce(p, d, o.JSON, out)
	})
	err = g.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func describe(p plan, processes map[string]*process) (Description, error) {
	demo, api, err := p.demo()
	operator, err2 := p.operator()
	err = errors.Join(err, err2)
	d := Description{
		Central: "http://" + p.address(offsetCentral), CentralPID: processes["central"].PID(),
		Catcher: "http://" + p.address(offsetCatcherHTTP), Demo: demo, APIKey: api, Operator: operator,
	}
	for i, site := range sites() {
		d.Nodes = append(d.Nodes, NodeDescription{
			Name: site, Site: site, DC09: p.node(i, offsetDC09), DC09TLS: new(p.node(i, offsetDC09TLS)), Status: "http://" + p.node(i, offsetStatus), PID: processes[site].PID(),
		})
	}
	return d, err
}

func announce(p plan, d Description, asJSON bool, out io.Writer) error {
	line, err := json.Marshal(d)
	if err != nil {
		return err
	}
	if err := os.WriteFile(p.path(DescriptionFile), append(line, '\n'), 0o600); err != nil {
		return err
	}
	if asJSON {
		_, err = fmt.Fprintf(out, "%s\n", line)
		return err
	}
	fmt.Fprintf(out, "\nVedetta is running.\n\n  portal    %s\n            log in with %s, password %s\n            as the operator with %s, password %s\n  API       %s/api/v1 with the key %s\n  catcher   %s (mails, push messages, and webhooks to it; webhooks to other addresses are really called, private ones too)\n",
		d.Central, d.Demo.Email, d.Demo.Password, d.Operator.Email, d.Operator.Password, d.Central, d.APIKey, d.Catcher)
	for _, n := range d.Nodes {
		fmt.Fprintf(out, "  %-9s panels report to %s (TCP and UDP) or %s (TLS), status %s/status\n", n.Name, n.DC09, *n.DC09TLS, n.Status)
	}
	_, err = fmt.Fprintf(out, "\n  demo panel: account %s with key %s, and account %s without\n  send an alarm: make demo (in another terminal). Stop: Ctrl-C.\n\n",
		d.Demo.Account, d.Demo.Key, d.Demo.PlainAccount)
	return err
}

// awaitReady asks every part's /readyz until all answer 200.
func awaitReady(ctx context.Context, p plan, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	urls := map[string]string{"central": "http://" + p.address(offsetCentral) + "/readyz"}
	for i, site := range sites() {
		urls[site] = "http://" + p.node(i, offsetStatus) + "/readyz"
	}
	client := &http.Client{Timeout: 2 * time.Second}
	for len(urls) > 0 {
		for name, url := range urls {
			if isReady(ctx, client, url) {
				delete(urls, name)
			}
		}
		select {
		case <-ctx.Done():
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return ctx.Err()
			}
			for name := range urls {
				return fmt.Errorf("%s was not ready within %s; the end of its log %s:\n%s", name, within, p.path("log", name+".log"), tail(p.path("log", name+".log"), 2000))
			}
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// awaitRoster polls every node as the demo panel until each knows it: a node
// that has not applied the roster yet is silent to an account it doesn't know.
func awaitRoster(ctx context.Context, d Description, within time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for _, n := range d.Nodes {
		p, err := panel.New(panel.Config{Account: d.Demo.PlainAccount, Timeout: 300 * time.Millisecond})
		if err != nil {
			return err
		}
		if _, err := p.SendUntilACK(ctx, []string{n.DC09}, "NULL", 1, ""); err != nil {
			return fmt.Errorf("%s does not know the demo panel: %w", n.Name, err)
		}
		if err := p.Close(); err != nil {
			return err
		}
	}
	return nil
}

func isReady(ctx context.Context, client *http.Client, url string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	res, err := client.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	return res.StatusCode == http.StatusOK
}

// lock holds the data folder for one local mesh.
func lock(path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		return nil, fmt.Errorf("%s: another local mesh uses this data folder; stop it or choose another --data", path)
	}
	return func() { _ = f.Close() }, nil
}
