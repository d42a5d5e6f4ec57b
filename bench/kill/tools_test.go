package kill

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"vedetta/bench/meshtest"
	"vedetta/ops/panel/conform"
	"vedetta/ops/panel/fleet"
)

// TestReceiverConforms holds a real node against every clause, over TCP, UDP
// and TLS, plain and encrypted, and then bears faults of the way at it.
func TestReceiverConforms(t *testing.T) {
	long(t)
	m := meshtest.Start(t, bin)
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("hex:"+m.Demo.Key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := readmeLines(t, strings.NewReplacer("bin/vedettactl", filepath.Join(bin, "vedettactl"), "127.0.0.1:7711", m.Nodes[0].DC09,
		"127.0.0.1:7721", m.Nodes[1].DC09, "$ACCOUNT", m.Demo.Account, "1234ABCD", m.Demo.PlainAccount, "--key-file key", "--key-file "+key))
	var both sync.WaitGroup // at once: what the one waits for, the other needn't
	both.Go(func() { conforms(t, lines["conform"]+" --json", 60) })
	both.Go(func() {
		over := strings.Replace(lines["conform"], m.Nodes[0].DC09, *m.Nodes[0].DC09TLS, 1)
		conforms(t, over+" --json --tls --tls-ca "+filepath.Join(m.Dir, "pki", "ca.pem"), 55)
	})
	both.Wait()
	if said, err := exec.CommandContext(t.Context(), "sh", "-c", lines["load"]).CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", lines["load"], err, said)
	}
	var told bytes.Buffer
	o := fleet.Options{To: addresses(m, 0), Panels: 30, Rate: "60/s", Duration: 3 * time.Second, Profile: "mixed", Fault: "mixed", Share: .5, Prefix: "0",
		Account: []string{m.Demo.Account}, Key: "hex:" + m.Demo.Key, Timeout: 5 * time.Second}
	if code := fleet.Command(t.Context(), o, &told, &told); code != fleet.ExitDone {
		t.Errorf("load: exit %d\n%s", code, &told)
	}
}

// conforms runs panel conform and wants all to hold: at least so many checks passed,
// none failed or observed, and none skipped but what TLS doesn't have.
func conforms(t *testing.T, line string, passed int) {
	out, err := exec.CommandContext(t.Context(), "sh", "-c", line).Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != conform.ExitFault) {
		t.Errorf("%s: %v", line, err)
		return
	}
	var r conform.Report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Errorf("%s: %v", line, err)
		return
	}
	if r.Passed < passed || r.Transport != "tls" && r.Skipped > 0 {
		t.Errorf("over %s: %d passed of %d, %d skipped", r.Transport, r.Passed, len(r.Results), r.Skipped)
	}
	for _, x := range r.Results {
		if x.Verdict == conform.Fail || x.Verdict == conform.Observation {
			t.Errorf("over %s: %s %s: %s", r.Transport, x.Verdict, x.ID, x.Why)
		}
	}
}

// readmeLines are the README's lines of `panel load` and `panel conform`, to be run here.
func readmeLines(t *testing.T, here *strings.Replacer) map[string]string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]string{}
	for _, l := range regexp.MustCompile(`(?m)^bin/vedettactl panel (load|conform) .*$`).FindAllStringSubmatch(string(readme), -1) {
		lines[l[1]] = here.Replace(l[0])
	}
	if len(lines) != 2 {
		t.Fatalf("README has %d lines of panel load and panel conform, want one each", len(lines))
	}
	return lines
}
