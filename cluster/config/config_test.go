package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

type sample struct {
	Name string `koanf:"name"`
	Part struct {
		Listen string        `koanf:"listen"`
		Wait   time.Duration `koanf:"wait"`
		Nets   []string      `koanf:"nets"`
	} `koanf:"part"`
	Peers map[string]string `koanf:"peers"`
	Token string            `koanf:"token" secret:"true"`
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vedetta.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEnvironmentOverFileOverDefault(t *testing.T) {
	defaults := sample{Name: "default"}
	defaults.Part.Wait = time.Second
	path := write(t, "part:\n  listen: 127.0.0.1:1\n  nets: [a, b]\npeers:\n  roubaix: 127.0.0.1:2\n")
	got, err := Load(path, []string{"VEDETTA_PART_LISTEN=127.0.0.1:9", "HOME=/"}, defaults)
	if err != nil {
		t.Fatal(err)
	}
	if got.Name != "default" || got.Part.Listen != "127.0.0.1:9" || got.Part.Wait != time.Second ||
		len(got.Part.Nets) != 2 || got.Peers["roubaix"] != "127.0.0.1:2" {
		t.Errorf("got %+v", got)
	}
}

func TestUnknownKeyIsRefusedByName(t *testing.T) {
	path := write(t, "part:\n  lisen: x\n")
	_, err := Load(path, nil, sample{})
	if err == nil || !strings.Contains(err.Error(), "lisen") || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "part.listen") {
		t.Errorf("error %v, want the file, the key and what is known", err)
	}
	if _, err := Load("", []string{"VEDETTA_PART_LISEN=x"}, sample{}); err == nil {
		t.Error("an unknown variable was taken")
	}
}

func TestPrintHidesSecrets(t *testing.T) {
	var b strings.Builder
	if err := Print(&b, sample{Name: "n", Token: "hunter2"}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "hunter2") || !strings.Contains(b.String(), "name: \"n\"") {
		t.Errorf("printed %s", b.String())
	}
}
