package chaos

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Options of `vedetta-bench chaos`.
type Options struct {
	Short  bool          `help:"20,000 alarms in under five minutes; the default."`
	Seed   uint64        `help:"Faults are drawn from it; 0: from the clock. It is printed."`
	Alarms int           `help:"How many distinct alarms."`
	Over   time.Duration `help:"Time that they are spread over."`
	Dir    string        `help:"New folder for data, logs and the report; made below the system's for temporary files when empty."`
	Keep   bool          `help:"Keep the folder when every promise held."`
}

// Main runs the programs of the folder bin under chaos and prints the summary.
// The error says that a promise was broken, or that the run could not be judged.
func Main(ctx context.Context, o Options, bin string, out io.Writer) error {
	if o.Seed == 0 {
		o.Seed = uint64(time.Now().UnixNano()) % 1_000_000_000
	}
	cfg := Short(o.Seed)
	if o.Alarms > 0 {
		cfg.Alarms = o.Alarms
	}
	if o.Over > 0 {
		cfg.Over = o.Over
	}
	cfg.Bin, cfg.Out, cfg.Dir = bin, out, o.Dir
	if cfg.Dir == "" {
		cfg.Dir = filepath.Join(os.TempDir(), fmt.Sprintf("vedetta-chaos-%d-%d", o.Seed, os.Getpid()))
	}
	rep, err := Run(ctx, cfg)
	if err != nil {
		return fmt.Errorf("chaos: seed %d could not be judged, logs and records are in %s: %w", o.Seed, cfg.Dir, err)
	}
	rep.Summary(out)
	if rep.Red() {
		return fmt.Errorf("chaos: seed %d: %d breaches", o.Seed, len(rep.Verdict.Breaches))
	}
	if !o.Keep && o.Dir == "" {
		if err := os.RemoveAll(cfg.Dir); err != nil {
			return fmt.Errorf("chaos: %w", err)
		}
	}
	return nil
}
