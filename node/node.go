// Package node is the receiver: its wiring from top to bottom, its
// configuration and its command line. Run is the whole program; what each part
// promises stands in the part's own package.
package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"vedetta/cluster/config"
	"vedetta/cluster/consensus"
	"vedetta/cluster/daemon"
	"vedetta/cluster/env"
	"vedetta/cluster/journal"
	"vedetta/cluster/link"
	"vedetta/cluster/replica"
	"vedetta/node/agreement"
	"vedetta/node/alerting"
	"vedetta/node/intake"
	"vedetta/node/leadership"
	"vedetta/node/membership"
	"vedetta/node/proposal"
	"vedetta/node/reception"
	"vedetta/node/roster"
	"vedetta/node/status"
	"vedetta/node/strangers"
	"vedetta/node/supervision"
	"vedetta/node/uplink"
	"vedetta/node/vouch"
	"vedetta/node/watch"
	"vedetta/wire/push"
	"vedetta/wire/seal"
)

// Run runs a node until ctx ends, then drains it. Nothing starts before
// everything is wired. again reads the configuration once more, at a reload.
func Run(ctx context.Context, cfg Config, reload <-chan os.Signal, again func() (Config, error), logTo io.Writer) error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	level := &slog.LevelVar{}
	level.Set(levelOf(cfg.Log.Level))
	e := env.Real(newLog(logTo, level), registry)

	// Keys and files.
	meshKey, err := seal.LoadMeshKey(cfg.Mesh.MeshKey)
	if err != nil {
		return daemon.BadConfig{Err: fmt.Errorf("key mesh.mesh_key_file: %w", err)}
	}
	password, err := config.Secret("channel.email.password_file", cfg.Channel.Email.PasswordFile)
	if err != nil {
		return daemon.BadConfig{Err: err}
	}
	var vapid push.Key
	if path := cfg.Channel.WebPush.KeyFile; path != "" {
		if vapid, err = push.LoadKey(path); err != nil {
			return daemon.BadConfig{Err: fmt.Errorf("key channel.webpush.key_file: %w", err)}
		}
	}
	token, err := config.Secret("status.token_file", cfg.Status.TokenFile)
	if err != nil {
		return daemon.BadConfig{Err: err}
	}
	files, err := journal.Open(journal.Config{Dir: cfg.Data}, e.Split("journal"))
	if err != nil {
		return daemon.BadStorage{Err: err}
	}
	defer files.Close()
	self, err := files.Begin(cfg.Node)
	if err != nil {
		return daemon.BadStorage{Err: err}
	}

	// The mesh: link, replication, agreement.
	lk, err := link.New(link.Config{
		Name: cfg.Node, Listen: cfg.Mesh.Listen, Peers: cfg.Mesh.Peers,
		CertFile: cfg.Mesh.CertFile, KeyFile: cfg.Mesh.KeyFile, CAFile: cfg.Mesh.CAFile,
	}, e.Split("link"))
	if err != nil {
		return daemon.BadConfig{Err: err}
	}
	copies, err := replica.New(replica.Config{Node: cfg.Node, Site: cfg.Site}, files, lk, e.Split("replica"))
	if err != nil {
		return daemon.BadConfig{Err: err}
	}
	machine, err := agreement.NewFSM(agreement.Config{}, meshKey, files, e.Split("agreement"))
	if err != nil {
		return err
	}
	view := machine.View()
	raft, err := consensus.New(cfg.consensus(files.DiskID()), lk, machine, files, e.Split("consensus"))
	if err != nil {
		return daemon.BadStorage{Err: err}
	}
	copies.SetRaft(raft.TermIndex)
	copies.AnnounceAfter(raft.Ready())
	log := raftLog{raft}
	proposer := proposal.New(log, lk, view)
	lk.HandleCall(proposal.Method, []string{link.RoleNode}, func(ctx context.Context, _ link.Identity, req []byte) ([]byte, error) {
		return proposer.Answer(ctx, req)
	})

	// From panel to contact.
	gate := newGate(cfg.Node, files.DiskID(), self, cfg.Journal.DiskFloor, factSources{
		sites: copies.Sites, quarantined: func() int { return len(copies.Quarantined()) }, diskFree: files.DiskFree,
		leaderSeen: log.LeaderSeen, view: view, peers: lk.Status, call: lk.Call,
	})
	lk.HandleCall(methodAble, []string{link.RoleNode}, gate.Able)
	people := roster.New(roster.FromView{View: view}, e.Split("roster"))
	stored := alerting.Stored{Files: files, Quorum: copies}
	watched, err := supervision.New(supervision.Config{Self: self, Peers: slices.Collect(maps.Keys(cfg.Mesh.Peers)), NeverHeardAfter: cfg.Supervision.NeverHeardAfter},
		supervision.Parts{View: view, Caller: lk, Proposer: proposer, Roster: people, Held: raft.Held, Ready: gate.Ready, Offset: gate.Measured}, e.Split("supervision"))
	if err != nil {
		return err
	}
	people.Follow(watched.RosterChanged)
	lk.HandleCall(supervision.Method, []string{link.RoleNode}, func(ctx context.Context, from link.Identity, req []byte) ([]byte, error) {
		return watched.Answer(ctx, from.Name, req)
	})
	guests := strangers.New(places(cfg.Reception.strangers(), openFiles(), e.Log))
	guests.Start(time.Now())
	vouched := vouch.New(slices.Collect(maps.Keys(cfg.Mesh.Peers)), guests, lk, e.Split("vouch"))
	lk.HandleCall(vouch.Method, []string{link.RoleNode}, func(ctx context.Context, from link.Identity, req []byte) ([]byte, error) {
		return vouched.Answer(ctx, from.Name, req)
	})
	in := intake.New(intake.Config{Wait: cfg.Reception.Wait, Unknown: intake.UnknownAnswer(cfg.Reception.Unknown), Behind: 40 * time.Second, Ahead: 20 * time.Second},
		intake.Parts{Roster: people, Journal: files, Replica: copies, Keys: view, Heard: watched, Ready: gate.Ready, Offset: gate.Measured, Hold: guests.Hold}, e.Split("intake"))
	panels, err := reception.New(cfg.Reception.reception(), in, guests, e.Split("reception"))
	if err != nil {
		return daemon.BadConfig{Err: err}
	}
	gate.open = panels.SetOpen
	seenLately := watch.New(cfg.Watch, self, cfg.Site, people, e.Split("watch"))
	panels.Observe(seenLately)
	sender, err := cfg.notifier(self, people, proposer, lk, view, password, vapid, e.Split("notify"))
	if err != nil {
		return daemon.BadConfig{Err: err}
	}
	gate.finish, gate.handOver = sender.Drain, raft.TransferLeadership
	alerts, err := alerting.New(alerting.Config{Self: self}, stored, alerting.Applied{View: view, Proposer: proposer}, people, sender, nil, e.Split("alerting"))
	if err != nil {
		return err
	}
	machine.Decided(alerts.Decided)
	leaders, err := leadership.New(leadership.Config{Self: self, Founding: cfg.founding()}, leadership.Parts{
		Raft: log, Caller: lk, View: view, Ready: gate.Ready, Ages: alerts.Ages, Offset: gate.Offset, Wrap: meshKey.Wrap, HandOver: raft.TransferLeadership,
	}, e.Split("leadership"))
	if err != nil {
		return err
	}
	lk.HandleCall(leadership.Method, []string{link.RoleNode}, func(ctx context.Context, from link.Identity, req []byte) ([]byte, error) {
		return leaders.Answer(ctx, from.Name, req)
	})

	disks := membership.New(log, proposer, view.Members, copies.Status, e.Split("membership"))

	// What is asked of the node, and what is only told of it.
	rumours, err := cfg.rumours(self, e.Split("gossip"))
	if err != nil {
		return daemon.BadConfig{Err: err}
	}
	up := uplink.New(view, proposer, stored, meshKey, log.LeaderName, in, people.Index, e.Split("uplink"))
	serveCentral(lk, up, watched, seenLately, vapid)
	seen := report{
		cfg: cfg, self: self, gate: gate, view: view, files: files, copies: copies, raft: log, link: lk, alerts: alerts, supervision: watched, panels: panels, guests: guests,
		rumours: rumours, registry: registry, history: &history{}, started: time.Now(),
	}
	if err := registry.Register(collector{seen}); err != nil {
		return err
	}
	page, err := status.New(ctx, status.Config{Listen: cfg.Status.Listen, Token: token, Profile: cfg.Status.Profile}, e.Split("status"),
		status.Parts{Gather: registry, Verdict: gate.Verdict, Status: seen.now, Bans: seen.bans, Lift: lift(guests)})
	if err != nil {
		return daemon.BadConfig{Err: err}
	}

	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g, running := errgroup.WithContext(running)
	for name, run := range map[string]func(context.Context) error{
		"journal": files.Run, "link": lk.Run, "replica": copies.Run, "agreement": machine.Run, "consensus": raft.Run,
		"roster": people.Run, "supervision": watched.Run, "vouch": vouched.Run, "reception": panels.Run, "watch": seenLately.Run, "notify": sender.Run, "alerting": alerts.Run,
		"leadership": leaders.Run, "membership": disks.Run, "members": followMembers(view, copies), "erasure": followErasures(view, raft.CompactForErasure, e.Split("erasure")), "check": checkFiles(files.Verify, func(faults []string) { gate.damaged.Store(&faults) }, e.Split("check")), "uplink": up.Run, "status": page.Run, "collector": followLoad(os.Getenv, calmAfter), "gate": gate.Run, "gossip": rumours.Run, "lags": seen.history.run(seen.held),
	} {
		g.Go(func() error {
			if err := run(running); err != nil && running.Err() == nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			return nil
		})
	}
	e.Log.Info("started", "node", cfg.Node, "site", cfg.Site, "incarnation", self.String())
	g.Go(func() error {
		return reloadOn(running, reload, e, map[string]func() error{"certificates": lk.Reload, "gossip keyring": rumours.Reload,
			"panels' certificates": panels.ReloadCertificates, "limits, bans and log level": follow(again, guests, level, e.Log)})
	})
	g.Go(func() error {
		select {
		case <-ctx.Done():
			gate.Drain(running)
		case <-running.Done():
		}
		stop()
		return nil
	})
	err = g.Wait()
	if behind, ok := errors.AsType[*consensus.Regressed](err); ok {
		return daemon.BadStorage{Err: errors.Join(behind, startAnew(cfg, e))}
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		return daemon.BadStorage{Err: err}
	}
	return nil
}

// startAnew makes a folder that lost something a new node's (rule 28): its
// votes are forgotten, its entries stay. The next start waits for admission.
func startAnew(cfg Config, e env.Env) error {
	e.Log.Error("this disk holds less than its peers have seen of it; it gets a new disk id and counts again once it has caught up")
	if err := consensus.Discard(cfg.raftDir()); err != nil {
		return err
	}
	return journal.NewDisk(cfg.Data)
}
