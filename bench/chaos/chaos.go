package chaos

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"vedetta/bench/rig"
	"vedetta/bench/verdict"
)

// Config of a run; Short gives one.
type Config struct {
	Seed     uint64
	Alarms   int           // distinct ones
	Over     time.Duration // which they are spread over; all faults lie within
	Senders  int           // panels that report at the same time
	Panels   int           // accounts that they belong to, half of them with a key
	Channels []string      // each alarm arrives by each of them
	Healing  time.Duration // at most, after the last alarm
	Bin      string        // folder of the programs
	Dir      string        // new folder for everything; kept when the run was red
	Out      io.Writer     // progress, a line per fault
}

// Short is the run of `make chaos-short`: 20,000 alarms in under five minutes.
func Short(seed uint64) Config {
	return Config{Seed: seed, Alarms: 20_000, Over: 150 * time.Second, Senders: 240, Panels: 48, Channels: []string{"email", "webhook", "webpush"}, Healing: 75 * time.Second}
}

// Run is one run from start to verdict. The error says that it could not be
// judged; breaches are in the report.
func Run(ctx context.Context, cfg Config) (Report, error) {
	rep := Report{Seed: cfg.Seed, Began: time.Now(), Seconds: map[string]float64{}, Senders: cfg.Senders, Dir: cfg.Dir}
	phase := func(name string, since time.Time) { rep.Seconds[name] = time.Since(since).Seconds() }
	defer phase("all", rep.Began)
	say := sayTo(cfg.Out)

	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return rep, err
	}
	upLog, err := os.Create(filepath.Join(cfg.Dir, "local.log"))
	if err != nil {
		return rep, err
	}
	defer upLog.Close()
	mesh, err := rig.Start(ctx, rig.Options{Bin: cfg.Bin, Dir: filepath.Join(cfg.Dir, "run"), Args: []string{"--restart-after", "0"}, ErrOut: upLog})
	if err != nil {
		return rep, err
	}
	stopped := false
	stop := func() error {
		if stopped {
			return nil
		}
		stopped = true
		return mesh.Stop()
	}
	defer stop() //nolint:errcheck // an earlier error is returned already
	accounts, err := enter(ctx, mesh, cfg.Panels)
	if err != nil {
		return rep, err
	}
	rep.Panels = len(accounts)
	phase("start", rep.Began)

	began := time.Now()
	say("product ready; %d alarms over %s, seed %d", cfg.Alarms, cfg.Over, cfg.Seed)
	sent, err := storm(ctx, cfg, mesh, accounts, &rep, say)
	if err != nil {
		return rep, err
	}
	phase("traffic", began)

	began = time.Now()
	record, sick, err := heal(ctx, cfg, mesh, sent, say)
	if err != nil {
		return rep, fmt.Errorf("%w\n%s", err, mesh.Logs(3000))
	}
	phase("healing", began)
	if err := stop(); err != nil {
		return rep, err
	}
	record.Journals = map[string]verdict.Journal{}
	for _, n := range mesh.Nodes {
		if record.Journals[n.Name], err = readDisk(filepath.Join(mesh.Dir, "node", n.Name)); err != nil {
			return rep, err
		}
	}
	rep.Verdict = verdict.Judge(record)
	rep.Verdict.RareSeconds()
	if sick != nil {
		rep.Verdict.Breaches = append(rep.Verdict.Breaches, fmt.Sprintf("not healed %s after the last alarm and fault: %v", cfg.Healing, sick))
	}
	rep.measure(sent, record.Handed)
	phase("all", rep.Began)
	return rep, rep.save(sent, record)
}

// storm is traffic and faults together.
func storm(ctx context.Context, cfg Config, mesh *rig.Mesh, accounts []*Account, rep *Report, say func(string, ...any)) ([]Sent, error) {
	g := &generator{accounts: accounts, alarms: cfg.Alarms, senders: cfg.Senders, over: cfg.Over, silence: 3500 * time.Millisecond, patience: time.Minute}
	for _, n := range mesh.Nodes {
		g.nodes = append(g.nodes, n.DC09)
	}
	s := &striker{mesh: mesh, core: NewCore(Plan(cfg.Seed, cfg.Over), len(mesh.Nodes)), say: say, began: time.Now(), held: map[int]int{}}
	eg, ctx := errgroup.WithContext(ctx)
	var sent []Sent
	eg.Go(func() (err error) { sent, err = g.run(ctx); return err })
	eg.Go(func() error { rep.Faults = s.run(ctx); return nil })
	return sent, eg.Wait()
}

// heal waits until the nodes are ready and level, nothing waits to be told, and
// the record has no breach. At the end of the time it gives what there is;
// sick says what was still under way then.
func heal(ctx context.Context, cfg Config, mesh *rig.Mesh, sent []Sent, say func(string, ...any)) (r verdict.Record, sick, err error) {
	var alarms []verdict.Alarm
	for _, s := range sent {
		alarms = append(alarms, verdict.Alarm{Text: s.Text, Acknowledged: !s.Acknowledged.IsZero()})
	}
	end := time.Now().Add(cfg.Healing)
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	var said time.Time
	for {
		late := time.Now().After(end)
		sick = quiet(mesh)
		why := sick
		if sick == nil || late {
			if r, err = mesh.Record(); err != nil && late {
				return r, sick, err
			}
			r.Alarms, r.Channels = alarms, cfg.Channels
			breaches := verdict.Judge(r).Breaches
			if err == nil && (len(breaches) == 0 || late) {
				return r, sick, nil
			}
			if why = err; err == nil {
				why = fmt.Errorf("%d breaches, the first: %s", len(breaches), breaches[0])
			}
		}
		if time.Since(said) > 5*time.Second {
			said = time.Now()
			say("healing: %s", strings.ReplaceAll(why.Error(), "\n", "; "))
		}
		select {
		case <-ctx.Done():
			return r, sick, ctx.Err()
		case <-tick.C:
		}
	}
}

// quiet tells by an error what is still under way.
func quiet(mesh *rig.Mesh) error {
	for i, n := range mesh.Nodes {
		st, err := mesh.Status(i)
		if err != nil {
			return fmt.Errorf("%s: %w", n.Name, err)
		}
		if !st.Ready || !st.ListenersOpen {
			return fmt.Errorf("%s is not ready: %v", n.Name, st.Reasons)
		}
		if lag := st.Lags["alerting"]; lag.Entries > 0 || lag.Seconds > 1 {
			return fmt.Errorf("%s has %d entries to decide, the oldest for %.0f s", n.Name, lag.Entries, lag.Seconds)
		}
	}
	return mesh.Level()
}

func sayTo(w io.Writer) func(string, ...any) {
	var mu sync.Mutex
	return func(format string, args ...any) {
		if w == nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(w, format+"\n", args...)
	}
}
