// Package bans shows an operator whom the nodes refuse, and lifts a ban. It knows
// the nodes by their management addresses only, each node's bans are its own, and
// it owns no goroutine.
package bans

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"
)

// Exit codes.
const (
	exitDone   = 0
	exitFault  = 1
	exitUsage  = 64
	exitNobody = 69
)

// Nodes are the nodes that are asked.
type Nodes struct {
	Status    []string `name:"status" aliases:"node" required:"" sep:"," placeholder:"URL" help:"Management addresses of the nodes (status.listen), as http://127.0.0.1:7713."`
	TokenFile string   `help:"File with the management token, from elsewhere than loopback."`
	JSON      bool     `name:"json" help:"Print one JSON object."`
}

// Lift is an address at nodes.
type Lift struct {
	Nodes
	Address string `arg:"" help:"Address or network, as 192.0.2.1 or 2001:db8::/64; what stood against it is forgotten."`
}

// Ban is one of a node's, as its /bans says.
type Ban struct {
	Node    string    `json:"node"` // URL
	Address string    `json:"address"`
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until"`
	Why     string    `json:"why"`
	Level   int       `json:"level"`
	Refused int64     `json:"refused"`
}

// List prints the bans of all nodes; the exit code is 69 when a node didn't answer.
func (n Nodes) List(ctx context.Context, out, errOut io.Writer) int {
	all, code := []Ban{}, exitDone
	for _, node := range n.Status {
		var got struct {
			Bans []Ban `json:"bans"`
		}
		if err := n.ask(ctx, http.MethodGet, node, "", &got); err != nil {
			fmt.Fprintln(errOut, "vedettactl:", err)
			code = worse(code, err)
		}
		for _, b := range got.Bans {
			b.Node = node
			all = append(all, b)
		}
	}
	if n.JSON {
		return printed(code, json.NewEncoder(out).Encode(map[string]any{"bans": all}))
	}
	if len(all) == 0 {
		if code == exitDone {
			fmt.Fprintln(out, "Nobody is banned.")
		}
		return code
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ADDRESS\tUNTIL\tWHY\tTIMES\tREFUSED SINCE\tNODE")
	for _, b := range all {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%s\n", b.Address, b.Until.UTC().Format("2006-01-02 15:04:05 UTC"), b.Why, b.Level, b.Refused, b.Node)
	}
	return printed(code, t.Flush())
}

// Run lifts; the exit code is 1 when no node had banned the address, 69 when one
// didn't answer.
func (l Lift) Run(ctx context.Context, out, errOut io.Writer) int {
	type lifted struct {
		Node   string   `json:"node"`
		Lifted []string `json:"lifted"`
	}
	all, code, count := []lifted{}, exitDone, 0
	for _, node := range l.Status {
		got := lifted{Node: node}
		if err := l.ask(ctx, http.MethodDelete, node, "?address="+url.QueryEscape(l.Address), &got); err != nil {
			fmt.Fprintln(errOut, "vedettactl:", err)
			code = worse(code, err)
			continue
		}
		all, count = append(all, got), count+len(got.Lifted)
		for _, a := range got.Lifted {
			if !l.JSON {
				fmt.Fprintf(out, "%s is no longer banned at %s.\n", a, node)
			}
		}
	}
	if l.JSON {
		code = printed(code, json.NewEncoder(out).Encode(map[string]any{"nodes": all}))
	}
	if code == exitDone && count == 0 {
		fmt.Fprintf(errOut, "vedettactl: %s is not banned there\n", l.Address)
		return exitFault
	}
	return code
}

var (
	errNobody = errors.New("no answer")
	errUsage  = errors.New("refused")
)

func worse(code int, err error) int {
	switch {
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.Is(err, errNobody):
		return exitNobody
	case code == exitDone:
		return exitFault
	}
	return code
}

func printed(code int, err error) int {
	if err != nil {
		return exitFault
	}
	return code
}

// ask asks one node and reads its JSON.
func (n Nodes) ask(ctx context.Context, method, node, query string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(node, "/")+"/bans"+query, nil)
	if err != nil || req.URL.Host == "" {
		return fmt.Errorf("--status %q: %w: want a URL as http://127.0.0.1:7713", node, errUsage)
	}
	if n.TokenFile != "" {
		token, err := os.ReadFile(n.TokenFile)
		if err != nil {
			return fmt.Errorf("--token-file: %w: %w", errUsage, err)
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", errNobody, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 500))
		err := fmt.Errorf("%s: %s: %s", node, res.Status, strings.TrimSpace(string(text)))
		if res.StatusCode == http.StatusBadRequest {
			return fmt.Errorf("%w: %w", errUsage, err)
		}
		return err
	}
	if err := json.NewDecoder(res.Body).Decode(into); err != nil {
		return fmt.Errorf("%s: want a node's JSON: %w", node, err)
	}
	return nil
}
