package ops

import (
	"bytes"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestReadmeLinesRun runs the README's lines of tools that need no running mesh.
func TestReadmeLinesRun(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^(?:(printf .*) \| )?bin/vedettactl (dc09 .*)$`).FindAllStringSubmatch(string(readme), -1)
	if len(lines) < 2 {
		t.Fatalf("%d lines, want 2 at least", len(lines))
	}
	for _, l := range lines {
		in := shell(t, l[1])
		args := strings.Split(strings.TrimSuffix(string(shell(t, `printf '%s\n' `+l[2])), "\n"), "\n")
		var out, errOut bytes.Buffer
		if code := Run(t.Context(), args, bytes.NewReader(in), &out, &errOut); code != 0 || out.Len() == 0 {
			t.Errorf("%s: exit %d, %s", l[0], code, &errOut)
		}
		if l[1] != "" && !strings.Contains(out.String(), "Perimeter") {
			t.Errorf("%s prints %s", l[0], &out)
		}
	}
}

// shell runs a line as the reader's shell would.
func shell(t *testing.T, line string) []byte {
	t.Helper()
	out, err := exec.Command("sh", "-c", line).Output()
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return out
}
