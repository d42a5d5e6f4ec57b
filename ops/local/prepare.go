package local

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"gopkg.in/yaml.v3"

	"vedetta/cluster/gossip/keyring"
	"vedetta/cluster/link"
	"vedetta/ops/catcher"
	"vedetta/ops/pki"
	"vedetta/wire/push"
	"vedetta/wire/seal"
)

// Demo is what a person needs to try the product.
type Demo struct {
	Email        string `json:"email"`
	Password     string `json:"password"`
	Account      string `json:"account"`
	Key          string `json:"key"`
	PlainAccount string `json:"plain_account"`
}

const (
	demoEmail        = "demo@vedetta.example"
	demoAccount      = "A1B2C3D4"
	demoPlainAccount = "1234ABCD"
	operatorEmail    = "operator@vedetta.example"
)

// prepare makes what the data folder lacks: CA, certificates, keys, node
// folders, configurations. What exists is kept, so that a second start is the
// same mesh.
func prepare(ctx context.Context, p plan, bin string, catch *catcher.Catcher) error {
	for _, dir := range []string{"pki", "log", "config", "central", "secret"} {
		if err := os.MkdirAll(p.path(dir), 0o700); err != nil {
			return err
		}
	}
	if err := preparePKI(p); err != nil {
		return err
	}
	if err := prepareBrowser(p, catch); err != nil {
		return err
	}
	disks := map[string]string{}
	for _, site := range sites() {
		id, err := initNode(ctx, bin, p.path("node", site))
		if err != nil {
			return err
		}
		disks[site] = id
	}
	for i, site := range sites() {
		if err := writeYAML(p.path("config", site+".yaml"), nodeConfig(p, i, disks)); err != nil {
			return err
		}
	}
	for name, length := range map[string]int{"password": 9, "api_key": 32, "panel_key": 16, "webhook_secret": 24, "operator_password": 9, "operator_api_key": 32} {
		if err := secretFile(p.path("secret", name), length); err != nil {
			return err
		}
	}
	return writeYAML(p.path("config", "central.yaml"), centralConfig(p))
}

func preparePKI(p plan) error {
	ca := p.path("pki")
	if missing(p.path("pki", "ca.pem")) {
		if err := pki.MakeCA(ca); err != nil {
			return err
		}
	}
	ids := []link.Identity{{Name: "central", Role: "central"}}
	for _, site := range sites() {
		ids = append(ids, link.Identity{Name: site, Site: site, Role: "node"})
	}
	for _, id := range ids {
		if missing(p.path("pki", id.Name, "cert.pem")) {
			if err := pki.Issue(ca, id, []string{"127.0.0.1", "localhost"}, p.path("pki", id.Name)); err != nil {
				return err
			}
		}
	}
	if missing(p.path("pki", "panels", "cert.pem")) {
		if err := pki.IssueForPanels(ca, []string{"localhost", "127.0.0.1"}, p.path("pki", "panels")); err != nil {
			return err
		}
	}
	if ring := p.path("secret", "gossip"); missing(ring) {
		if _, err := keyring.Change(ring, keyring.New); err != nil {
			return err
		}
	}
	key := p.path("secret", "mesh")
	if !missing(key) {
		return nil
	}
	if !missing(p.path("node")) {
		return fmt.Errorf("%s is missing, but the nodes have data that only it opens: put it back, or choose another --data", key)
	}
	return seal.NewMeshKeyFile(key)
}

// prepareBrowser makes the mesh's VAPID key and lets the demo contact's
// browser, which is in the catcher, subscribe under it.
func prepareBrowser(p plan, catch *catcher.Catcher) error {
	path := p.path("secret", "vapid")
	if missing(path) {
		if err := push.NewKeyFile(path); err != nil {
			return err
		}
	}
	key, err := push.LoadKey(path)
	if err != nil {
		return err
	}
	s, err := catch.Subscribe("demo", key.Public())
	if err != nil {
		return err
	}
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(p.path("secret", "push_subscription"), b, 0o600)
}

// initNode makes the node's folder, or asks an existing one for its disk id.
func initNode(ctx context.Context, bin, dir string) (string, error) {
	cmd := exec.CommandContext(ctx, bin+"/vedetta-node", "init", "--data", dir, "--or-show")
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			return "", fmt.Errorf("vedetta-node init: %s", strings.TrimSpace(string(exit.Stderr)))
		}
		return "", fmt.Errorf("vedetta-node init: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

func nodeConfig(p plan, i int, disks map[string]string) map[string]any {
	name := sites()[i]
	peers, gossip, founding := map[string]string{}, map[string]string{}, []map[string]string{}
	for j, site := range sites() {
		if j != i {
			peers[site] = p.node(j, offsetMesh)
			gossip[site] = p.node(j, offsetGossip)
		}
		founding = append(founding, map[string]string{"node": site, "disk": disks[site], "site": site})
	}
	return map[string]any{
		"node": name, "site": name, "data": p.path("node", name),
		"mesh": map[string]any{
			"listen": p.node(i, offsetMesh), "peers": peers, "founding": founding,
			"cert_file": p.path("pki", name, "cert.pem"), "key_file": p.path("pki", name, "key.pem"),
			"ca_file": p.path("pki", "ca.pem"), "mesh_key_file": p.path("secret", "mesh"),
			"gossip": map[string]any{"listen": p.node(i, offsetGossip), "peers": gossip, "keyring_file": p.path("secret", "gossip")},
		},
		"reception": map[string]any{
			"listeners": []map[string]string{{"name": "main", "address": p.node(i, offsetDC09), "tls": p.node(i, offsetDC09TLS)}},
			"never_ban": []string{"127.0.0.0/8", "::1/128"},
			"tls": map[string]any{"certificates": []map[string]string{
				{"cert_file": p.path("pki", "panels", "cert.pem"), "key_file": p.path("pki", "panels", "key.pem")},
			}},
		},
		"status": map[string]any{"listen": p.node(i, offsetStatus)},
		"channel": map[string]any{
			"allow_private": true,
			"email":         map[string]any{"address": p.address(offsetCatcherSMTP), "from": "alarm@vedetta.example"},
			"webpush": map[string]any{
				"key_file": p.path("secret", "vapid"), "subject": "alarm@vedetta.example", "portal_url": "http://" + p.address(offsetCentral),
			},
		},
		"journal": map[string]any{"disk_floor": 0.001},
	}
}

func centralConfig(p plan) map[string]any {
	nodes, receivers := map[string]string{}, []map[string]string{}
	for i, site := range sites() {
		nodes[site] = p.node(i, offsetMesh)
		receivers = append(receivers, map[string]string{"datacenter": site, "address": p.node(i, offsetDC09)})
	}
	return map[string]any{
		"data": p.path("central"), "listen": p.address(offsetCentral),
		"mesh": map[string]any{
			"nodes": nodes, "cert_file": p.path("pki", "central", "cert.pem"),
			"key_file": p.path("pki", "central", "key.pem"), "ca_file": p.path("pki", "ca.pem"),
		},
		"channel": map[string]any{"allow_private": true},
		"portal":  map[string]any{"receivers": receivers},
		"demo": map[string]any{
			"email": demoEmail, "password_file": p.path("secret", "password"), "api_key_file": p.path("secret", "api_key"),
			"account": demoAccount, "plain_account": demoPlainAccount, "panel_key_file": p.path("secret", "panel_key"),
			"contact_email": "contact@vedetta.example", "webhook_url": "http://" + p.address(offsetCatcherHTTP) + "/hook",
			"operator_email": operatorEmail, "operator_password_file": p.path("secret", "operator_password"), "operator_key_file": p.path("secret", "operator_api_key"),
			"webhook_secret_file": p.path("secret", "webhook_secret"), "push_file": p.path("secret", "push_subscription"),
		},
	}
}

// Operator is who runs the service: sees panels that nobody has entered.
type Operator struct {
	Email    string `json:"email"`
	Password string `json:"password"`
	APIKey   string `json:"api_key"`
}

func (p plan) secret(name string) (string, error) {
	b, err := os.ReadFile(p.path("secret", name))
	return strings.TrimSpace(string(b)), err
}

func (p plan) operator() (Operator, error) {
	password, err1 := p.secret("operator_password")
	api, err2 := p.secret("operator_api_key")
	return Operator{Email: operatorEmail, Password: password, APIKey: api}, errors.Join(err1, err2)
}

func (p plan) demo() (Demo, string, error) {
	read := p.secret
	password, err1 := read("password")
	key, err2 := read("panel_key")
	api, err3 := read("api_key")
	return Demo{Email: demoEmail, Password: password, Account: demoAccount, Key: key, PlainAccount: demoPlainAccount}, api, errors.Join(err1, err2, err3)
}

func secretFile(path string, bytes int) error {
	if !missing(path) {
		return nil
	}
	b := make([]byte, bytes)
	rand.Read(b)
	text := hex.EncodeToString(b)
	switch {
	case strings.HasSuffix(path, "api_key"):
		text = "vdt_" + text
	case strings.HasSuffix(path, "webhook_secret"):
		text = "whsec_" + base64.StdEncoding.EncodeToString(b)
	case strings.HasSuffix(path, "panel_key"):
		text = strings.ToUpper(text)
	}
	return os.WriteFile(path, []byte(text+"\n"), 0o600)
}

func writeYAML(path string, v any) error {
	b, err := yaml.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}
