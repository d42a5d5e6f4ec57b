package kill

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"vedetta/bench/meshtest"
	"vedetta/ops/panel/conform"
	"vedetta/ops/panel/fleet"
)

// TestReceiverConforms holds a real node against every clause, over TCP and UDP,
// plain and encrypted, and then bears faults of the way at it.
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
	var told bytes.Buffer
	o := fleet.Options{To: addresses(m, 0), Panels: 30, Rate: "60/s", Duration: 3 * time.Second, Profile: "mixed", Fault: "mixed", Share: .5, Prefix: "0",
		Account: []string{m.Demo.Account}, Key: "hex:" + m.Demo.Key, Timeout: 5 * time.Second}
	if code := fleet.Command(t.Context(), o, &told, &told); code != fleet.ExitDone {
		t.Errorf("load: exit %d\n%s", code, &told)
	}
}
