package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const goodConfig = `node: arezzo
site: arezzo
data: /var/lib/vedetta
mesh:
  listen: 127.0.0.1:1
  peers: {roubaix: "127.0.0.1:2"}
  cert_file: c
  key_file: k
  ca_file: ca
  mesh_key_file: m
  founding: [{node: arezzo, disk: d, site: arezzo}]
reception:
  listeners: [{name: main, address: "127.0.0.1:3"}]
status: {listen: "127.0.0.1:4"}
channel:
  email: {address: "127.0.0.1:5", from: a@b.example}
`

// TestBadConfigurationNamesFileKeyAndWant: every refusal says where, what, and
// what was expected.
func TestBadConfigurationNamesFileKeyAndWant(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.yaml")
	load := func(text string, environ ...string) error {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(path, environ)
		return err
	}
	if err := load(goodConfig); err != nil {
		t.Fatalf("a good configuration is refused: %v", err)
	}
	tests := []struct{ name, text, key string }{
		{"node name", strings.Replace(goodConfig, "node: arezzo\nsite", "node: Arezzo!\nsite", 1), "node"},
		{"node is the agreement's name", strings.Replace(goodConfig, "node: arezzo\nsite", "node: agreement\nsite", 1), "node"},
		{"no site", strings.Replace(goodConfig, "site: arezzo\ndata", "data", 1), "site"},
		{"mesh address", strings.Replace(goodConfig, "127.0.0.1:1", "nowhere", 1), "mesh.listen"},
		{"itself as a peer", strings.Replace(goodConfig, "roubaix:", "arezzo:", 1), "mesh.peers"},
		{"no founding list", strings.Replace(goodConfig, "  founding: [{node: arezzo, disk: d, site: arezzo}]\n", "", 1), "mesh.founding"},
		{"listener twice", strings.Replace(goodConfig, "address: \"127.0.0.1:3\"}", "address: \"127.0.0.1:3\"}, {name: main, address: \"127.0.0.1:6\"}", 1), "reception.listeners"},
		{"listener without an address", strings.Replace(goodConfig, ", address: \"127.0.0.1:3\"", "", 1), "reception.listeners[0].address"},
		{"listener with both", strings.Replace(goodConfig, "address: \"127.0.0.1:3\"", "address: \"127.0.0.1:3\", udp: \"127.0.0.1:3\"", 1), "reception.listeners[0].address"},
		{"listener's name", strings.Replace(goodConfig, "name: main", "name: \"a b\"", 1), "reception.listeners[0].name"},
		{"listener's TLS address", strings.Replace(goodConfig, "name: main", "name: main, tls: nowhere", 1), "reception.listeners[0].tls"},
		{"TLS without a certificate", strings.Replace(goodConfig, "name: main", "name: main, tls: \":9\"", 1), "reception.tls.certificates"},
		{"certificate without a key", strings.Replace(goodConfig, "reception:\n", "reception:\n  tls: {certificates: [{cert_file: c}]}\n", 1), "reception.tls.certificates[0].key_file"},
		{"TLS version", strings.Replace(goodConfig, "reception:\n", "reception:\n  tls: {min_version: \"1.4\"}\n", 1), "reception.tls.min_version"},
		{"never_ban", strings.Replace(goodConfig, "reception:\n", "reception:\n  never_ban: [10.0.0.0/40]\n", 1), "reception.never_ban[0]"},
		{"limit", strings.Replace(goodConfig, "reception:\n", "reception:\n  limits: {connections: 0}\n", 1), "reception.limits.connections"},
		{"time", strings.Replace(goodConfig, "reception:\n", "reception:\n  limits: {frame_time: 10}\n", 1), "reception.limits.frame_time"},
		{"bans", strings.Replace(goodConfig, "reception:\n", "reception:\n  bans: {first: 2h, longest: 1h}\n", 1), "reception.bans.longest"},
		{"unknown limit", strings.Replace(goodConfig, "reception:\n", "reception:\n  limits: {conections: 5}\n", 1), "conections"},
		{"TLS of mail", strings.Replace(goodConfig, "from: a@b.example", "from: a@b.example, tls: maybe", 1), "channel.email.tls"},
		{"push without a subject", strings.Replace(goodConfig, "channel:\n", "channel:\n  webpush: {key_file: v}\n", 1), "channel.webpush.subject"},
		{"push without a key", strings.Replace(goodConfig, "channel:\n", "channel:\n  webpush: {subject: a@b.example}\n", 1), "channel.webpush.key_file"},
		{"push kept for ever", strings.Replace(goodConfig, "channel:\n", "channel:\n  webpush: {key_file: v, subject: a@b.example, ttl: 9000h, ttl_life_safety: 9000h}\n", 1), "channel.webpush.ttl"},
		{"life safety kept shorter", strings.Replace(goodConfig, "channel:\n", "channel:\n  webpush: {key_file: v, subject: a@b.example, ttl_life_safety: 1h}\n", 1), "channel.webpush.ttl_life_safety"},
		{"unknown key", goodConfig + "retension: 3\n", "retension"},
		{"never heard", goodConfig + "supervision: {never_heard_after: 0s}\n", "supervision.never_heard_after"},
		{"retention", goodConfig + "journal: {retention_days: 0}\n", "journal.retention_days"},
	}
	for _, tt := range tests {
		err := load(tt.text)
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), tt.key) {
			t.Errorf("%s: error %v, want the file and the key %s", tt.name, err, tt.key)
		}
	}
	if err := load(goodConfig, "VEDETTA_LOG_LEVEL=loud"); err == nil || !strings.Contains(err.Error(), "log.level") {
		t.Errorf("environment: error %v, want log.level", err)
	}
}
