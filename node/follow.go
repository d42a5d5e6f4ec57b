package node

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"vedetta/cluster/env"
	"vedetta/cluster/journal"
	"vedetta/cluster/replica"
	"vedetta/node/agreement"
	"vedetta/node/strangers"
)

// followMembers keeps the replica's configuration that of the agreement.
func followMembers(view *agreement.View, copies *replica.Replica) func(context.Context) error {
	return func(ctx context.Context) error {
		last := ""
		for {
			changed := view.Changed()
			members, sites := view.Members(), view.Sites()
			if now := fmt.Sprint(members, sites); len(members) > 0 && now != last {
				last = now
				out := make([]replica.Member, 0, len(members))
				for _, m := range members {
					out = append(out, replica.Member{Node: m.Node, Disk: m.Disk, Site: m.Site})
				}
				copies.SetMembers(out, sites)
			}
			select {
			case <-ctx.Done():
				return nil
			case <-changed:
			}
		}
	}
}

// eraseAgain is how long to wait before a compaction that failed is repeated.
const eraseAgain = 5 * time.Second

// followErasures compacts Raft's folder after every command that destroyed a
// key, once more after a start: nothing tells whether the last process had
// finished (rule 32).
func followErasures(view *agreement.View, compact func(context.Context) error, e env.Env) func(context.Context) error {
	return func(ctx context.Context) error {
		done := uint64(0)
		for {
			changed := view.Changed()
			var again <-chan time.Time
			if last := view.LastErasure(); last > done {
				if err := compact(ctx); err == nil {
					done = last
					e.Log.Info("what was destroyed is gone from this node's log", "index", last)
				} else if ctx.Err() == nil {
					e.Log.Error("log not compacted after an erasure; it is tried again", "error", err)
					again = time.After(eraseAgain)
				}
			}
			select {
			case <-ctx.Done():
				return nil
			case <-changed:
			case <-again:
			}
		}
	}
}

// checkFiles reads the whole journal once after a start. What it finds damaged
// is named, nothing is deleted, and the node isn't ready until it was repaired:
// it must not serve, or acknowledge beside, what it can't read (design, section 5).
func checkFiles(verify func(context.Context) (journal.Report, error), damaged func(faults []string), e env.Env) func(context.Context) error {
	return func(ctx context.Context) error {
		report, err := verify(ctx)
		if err != nil && ctx.Err() == nil {
			e.Log.Error("the journal could not be checked", "error", err)
		}
		for _, fault := range report.Faults {
			e.Log.Error("a journal file is damaged; stop this node, move the file aside and start again: what it held is fetched from the other nodes", "fault", fault)
		}
		if len(report.Faults) > 0 {
			damaged(report.Faults)
		}
		<-ctx.Done()
		return nil
	}
}

// reloadOn reads again at SIGHUP; of what can't be read the old stays.
func reloadOn(ctx context.Context, reload <-chan os.Signal, e env.Env, read map[string]func() error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-reload:
		}
		for what, again := range read {
			if err := again(); err != nil {
				e.Log.Error("not read again; the old stays", "what", what, "error", err)
				continue
			}
			e.Log.Info("read again", "what", what)
		}
	}
}

// follow takes over what a running node can take over of its configuration.
func follow(again func() (Config, error), guests *strangers.Core, level *slog.LevelVar, log *slog.Logger) func() error {
	return func() error {
		cfg, err := again()
		if err != nil {
			return err
		}
		guests.Configure(places(cfg.Reception.strangers(), openFiles(), log), time.Now())
		level.Set(levelOf(cfg.Log.Level))
		return nil
	}
}
