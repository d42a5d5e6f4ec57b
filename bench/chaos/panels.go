package chaos

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"vedetta/bench/rig"
	"vedetta/ops/panel"
)

// rosterWithin is how long the nodes may take to know every panel.
const rosterWithin = 30 * time.Second

// enter adds panels to the demo customer's two by the API, every second with a
// key, until there are n, so that the alarms fall onto many shards; it returns
// when every node knows them. The demo customer's rule holds for all panels.
func enter(ctx context.Context, mesh *rig.Mesh, n int) ([]*Account, error) {
	key, err := hex.DecodeString(mesh.Demo.Key)
	if err != nil {
		return nil, err
	}
	accounts := []*Account{{Number: mesh.Demo.Account, Key: key}, {Number: mesh.Demo.PlainAccount}}
	for i := len(accounts); i < n; i++ {
		a := &Account{Number: fmt.Sprintf("C%07X", i)}
		body := map[string]any{"name": fmt.Sprintf("Chaos %d", i), "account": a.Number}
		if i%2 == 0 {
			a.Key = key
			body["key"] = "hex:" + mesh.Demo.Key
		}
		if err := post(ctx, mesh, "/api/v1/panels", body); err != nil {
			return nil, fmt.Errorf("panel %s: %w", a.Number, err)
		}
		accounts = append(accounts, a)
	}
	ctx, cancel := context.WithTimeout(ctx, rosterWithin)
	defer cancel()
	for _, node := range mesh.Nodes {
		for _, a := range accounts {
			p, err := panel.New(panel.Config{Account: a.Number, Key: a.Key, Timeout: 500 * time.Millisecond})
			if err != nil {
				return nil, err
			}
			_, err = p.SendUntilACK(ctx, []string{node.DC09}, "NULL", 1, "")
			_ = p.Close()
			if err != nil {
				return nil, fmt.Errorf("%s does not know panel %s: %w", node.Name, a.Number, err)
			}
		}
	}
	return accounts, nil
}

// post adds one thing by the API.
func post(ctx context.Context, mesh *rig.Mesh, path string, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, mesh.Central+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+mesh.APIKey)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusCreated {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 500))
		return fmt.Errorf("POST %s: %s %s", path, res.Status, text)
	}
	return nil
}
