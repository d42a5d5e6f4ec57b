package kill

import (
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"testing"

	"vedetta/bench/meshtest"
	"vedetta/ops/panel/conform"
)

// TestReceiverConforms holds a real node against every clause, over TCP and UDP,
// plain and encrypted.
func TestReceiverConforms(t *testing.T) {
	long(t)
	m := meshtest.Start(t, bin)
	out, err := exec.CommandContext(t.Context(), filepath.Join(bin, "vedettactl"), "panel", "conform", "--to", m.Nodes[0].DC09,
		"--account", m.Demo.Account, "--key", m.Demo.Key, "--plain-account", m.Demo.PlainAccount, "--json").Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != conform.ExitFault) {
		t.Fatal(err)
	}
	var r conform.Report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Results) < 60 || r.Passed != len(r.Results) {
		t.Errorf("%d checks, %d passed", len(r.Results), r.Passed)
	}
	for _, x := range r.Results {
		if x.Verdict != conform.Pass {
			t.Errorf("%s %s: %s", x.Verdict, x.ID, x.Why)
		}
	}
}
