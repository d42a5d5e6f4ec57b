package node

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"vedetta/cluster/consensus"
	"vedetta/cluster/env"
	"vedetta/cluster/link"
	"vedetta/node/agreement"
	"vedetta/node/channel"
	"vedetta/node/channel/email"
	"vedetta/node/channel/webhook"
	"vedetta/node/channel/webpush"
	"vedetta/node/notify"
	"vedetta/node/proposal"
	"vedetta/node/roster"
	"vedetta/node/supervision"
	"vedetta/node/uplink"
	"vedetta/node/watch"
	"vedetta/wire/decision"
	"vedetta/wire/heard"
	"vedetta/wire/mesh"
	"vedetta/wire/push"
)

// consensus is the agreement's configuration of this node.
func (c Config) consensus(disk string) consensus.Config {
	out := consensus.Config{Dir: c.raftDir(), Self: consensus.Member{Node: c.Node, Disk: disk, Site: c.Site}}
	seen := map[string]bool{}
	for _, f := range c.Mesh.Founding {
		out.Founding = append(out.Founding, consensus.Member{Node: f.Node, Disk: f.Disk, Site: f.Site})
		if !seen[f.Site] {
			seen[f.Site] = true
			out.Sites = append(out.Sites, f.Site)
		}
	}
	for name := range c.Mesh.Peers {
		out.Peers = append(out.Peers, name)
	}
	return out
}

// raftDir is Raft's own folder; in no backup (rule 32).
func (c Config) raftDir() string { return filepath.Join(c.Data, "raft") }

// raftLog is consensus as proposers and leaders see it: results are the
// agreement's.
type raftLog struct{ *consensus.Consensus }

// Propose is proposal.Raft.
func (r raftLog) Propose(ctx context.Context, command []byte) (agreement.Result, error) {
	_, result, err := r.Consensus.Propose(ctx, command)
	if err != nil {
		return agreement.Result{}, err
	}
	switch res := result.(type) {
	case agreement.Result:
		return res, nil
	case error:
		return agreement.Result{}, res
	}
	return agreement.Result{}, fmt.Errorf("the state machine answered %T, want a result", result)
}

// Leader is proposal.Raft.
func (r raftLog) Leader() (name string, self bool) {
	name, self, _, _ = r.Consensus.Leader()
	return name, self
}

// LeaderName names the leader, empty when none is known.
func (r raftLog) LeaderName() string { name, _ := r.Leader(); return name }

// LeaderSeen is when an agreement leader was last heard of.
func (r raftLog) LeaderSeen() time.Time {
	name, _, _, seen := r.Consensus.Leader()
	if name == "" && seen.IsZero() {
		return time.Time{}
	}
	return seen
}

// founding is what the first leader of a new mesh founds.
func (c Config) founding() decision.Found {
	found := decision.Found{Generation: 1}
	for _, f := range c.Mesh.Founding {
		found.Members = append(found.Members, decision.Member{Node: f.Node, Disk: f.Disk, Site: f.Site})
		if !slices.Contains(found.Sites, f.Site) {
			found.Sites = append(found.Sites, f.Site)
		}
	}
	slices.Sort(found.Sites)
	return found
}

// notifier makes the sender with all channels.
func (c Config) notifier(self mesh.Origin, people *roster.Roster, proposer *proposal.Proposer, lk *link.Link, view *agreement.View, password string, vapid push.Key, e env.Env) (*notify.Sender, error) {
	mail, err := email.New(email.Config{
		Address: c.Channel.Email.Address, From: c.Channel.Email.From, Username: c.Channel.Email.Username,
		Password: password, TLS: c.Channel.Email.TLS, CAFile: c.Channel.Email.CAFile,
	}, e)
	if err != nil {
		return nil, fmt.Errorf("key channel.email: %w", err)
	}
	channels := map[string]channel.Sender{"email": mail, "webhook": webhook.New(webhook.Config{AllowPrivate: c.Channel.AllowPrivate}, e)}
	for _, later := range []string{"webpush", "sms", "whatsapp", "voice"} {
		channels[later] = channel.Missing{}
	}
	if p := c.Channel.WebPush; !vapid.IsZero() {
		channels["webpush"], err = webpush.New(webpush.Config{
			Key: vapid, Subject: p.Subject, Portal: p.PortalURL, AllowPrivate: c.Channel.AllowPrivate, TTL: p.TTL, TTLUrgent: p.TTLLifeSafety,
		}, e)
		if err != nil {
			return nil, fmt.Errorf("key channel.webpush: %w", err)
		}
	}
	sender, err := notify.New(notify.Config{Self: self}, notify.Parts{
		Channels:  channels,
		Addresses: notify.FromRoster(people), Proposer: proposer, Caller: lk, Clock: view.Clock, Doubtful: view.Doubtful, Arrived: view.Arrived,
	}, e)
	if err != nil {
		return nil, err
	}
	lk.HandleCall(notify.Method, []string{link.RoleNode}, func(_ context.Context, _ link.Identity, req []byte) ([]byte, error) {
		return sender.Answer(req)
	})
	return sender, nil
}

// serveCentral answers what central may ask.
func serveCentral(lk *link.Link, up *uplink.Uplink, watched *supervision.Supervision, attempts *watch.Watch, vapid push.Key) {
	central := []string{link.RoleCentral}
	plain := func(fn func(context.Context, []byte) ([]byte, error)) func(context.Context, link.Identity, []byte) ([]byte, error) {
		return func(ctx context.Context, _ link.Identity, req []byte) ([]byte, error) { return fn(ctx, req) }
	}
	lk.HandleCall("central.keys", central, plain(up.Keys))
	lk.HandleCall("central.open", central, plain(up.Open))
	lk.HandleCall("central.put", central, plain(up.Put))
	lk.HandleCall("central.applied", central, plain(up.Applied))
	lk.HandleCall("central.adopt", central, plain(up.Adopt))
	lk.HandleCall(heard.Method, central, plain(watched.Look))
	lk.HandleCall("central.status", central, plain(up.Status))
	lk.HandleCall("central.marks", central, plain(up.Marks))
	lk.HandleCall("central.push", central, plain(func(context.Context, []byte) ([]byte, error) { return push.Announce(vapid) }))
	lk.Handle(link.PurposeFeed, central, func(ctx context.Context, _ link.Identity, s link.Stream) error { return up.Feed(ctx, s) })
	lk.Handle(link.PurposeWatch, central, func(ctx context.Context, _ link.Identity, s link.Stream) error { return attempts.Serve(ctx, s) })
}

// newLog logs at the level, which may change later.
func newLog(to io.Writer, level *slog.LevelVar) *slog.Logger {
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: level}))
}

// levelOf reads a level that was checked.
func levelOf(text string) (l slog.Level) {
	if err := l.UnmarshalText([]byte(text)); err != nil {
		return slog.LevelInfo
	}
	return l
}
