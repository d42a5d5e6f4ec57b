package daemon

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

type commands struct {
	Run   run   `cmd:""`
	Other other `cmd:""`
}

type run struct {
	End string `required:""`
}

func (r *run) Run(*World) error {
	switch r.End {
	case "config":
		return fmt.Errorf("wrapped: %w", BadConfig{errors.New("key node: want a name")})
	case "storage":
		return BadStorage{errors.New("disk full")}
	case "fault":
		return errors.New("found one")
	}
	return nil
}

type other struct{}

func (*other) Run(w *World) error { return nil }

func TestExitCodes(t *testing.T) {
	tests := []struct {
		args string
		code int
		says string
	}{
		{"run --end well", ExitStopped, ""},
		{"run --end config", ExitConfig, "key node: want a name"},
		{"run --end storage", ExitStorage, "disk full"},
		{"run --end fault", ExitFault, "found one"},
		{"run", ExitConfig, "missing flags: --end"},
		{"dance", ExitConfig, "see --help"},
		{"--help", 0, ""},
	}
	for _, tt := range tests {
		var out, errOut strings.Builder
		code := Main(&World{Ctx: t.Context(), Out: &out, ErrOut: &errOut}, "vedetta-test", "A test.", &commands{}, strings.Fields(tt.args))
		if code != tt.code || !strings.Contains(errOut.String(), tt.says) {
			t.Errorf("%s: exit %d, %q; want %d and %q", tt.args, code, errOut.String(), tt.code, tt.says)
		}
	}
}
