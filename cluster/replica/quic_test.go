package replica_test

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"vedetta/cluster/env"
	"vedetta/cluster/journal"
	"vedetta/cluster/link"
	"vedetta/cluster/replica"
	"vedetta/ops/pki"
	"vedetta/wire/mesh"
)

var names = []string{"arezzo", "limburg", "roubaix"}

type member struct {
	origin  mesh.Origin
	journal *journal.Journal
	replica *replica.Replica
	stop    func()
}

// mesh of three over real QUIC and real files, in one process.
func startMesh(t testing.TB) []*member {
	t.Helper()
	dir := t.TempDir()
	if err := pki.MakeCA(filepath.Join(dir, "ca")); err != nil {
		t.Fatal(err)
	}
	sockets, addresses := map[string]net.PacketConn{}, map[string]string{}
	for _, name := range names {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		sockets[name], addresses[name] = c, c.LocalAddr().String()
	}
	var all []*member
	var disks []replica.Member
	for _, name := range names {
		peers := map[string]string{}
		for n, a := range addresses {
			if n != name {
				peers[n] = a
			}
		}
		m := startMember(t, dir, name, link.Config{Name: name, Conn: sockets[name], Peers: peers})
		all = append(all, m)
		disks = append(disks, replica.Member{Node: name, Disk: m.journal.DiskID(), Site: name})
	}
	for _, m := range all {
		m.replica.SetMembers(disks, names)
	}
	for end := time.Now().Add(10 * time.Second); ; {
		if reachable, _ := all[0].replica.Sites(time.Now()); len(reachable) == 3 {
			return all
		}
		if time.Now().After(end) {
			t.Fatalf("no three sites: %+v", all[0].replica.Status())
		}
		<-time.After(10 * time.Millisecond)
	}
}

func startMember(t testing.TB, dir, name string, cfg link.Config) *member {
	t.Helper()
	id := link.Identity{Name: name, Site: name, Role: link.RoleNode}
	if err := pki.Issue(filepath.Join(dir, "ca"), id, nil, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
	cfg.CertFile, cfg.KeyFile, cfg.CAFile = filepath.Join(dir, name, "cert.pem"), filepath.Join(dir, name, "key.pem"), filepath.Join(dir, name, "ca.pem")
	data := filepath.Join(dir, "data-"+name)
	if err := journal.Create(data); err != nil {
		t.Fatal(err)
	}
	e := env.Quiet(1)
	j, err := journal.Open(journal.Config{Dir: data}, e)
	if err != nil {
		t.Fatal(err)
	}
	o, err := j.Begin(name)
	if err != nil {
		t.Fatal(err)
	}
	l, err := link.New(cfg, e)
	if err != nil {
		t.Fatal(err)
	}
	r, err := replica.New(replica.Config{Node: name, Site: name}, j, l, e)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	for _, run := range []func(context.Context) error{j.Run, l.Run, r.Run} {
		wg.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		})
	}
	m := &member{origin: o, journal: j, replica: r}
	m.stop = sync.OnceFunc(func() { cancel(); wg.Wait(); _ = j.Close() })
	t.Cleanup(m.stop)
	return m
}

func write(t testing.TB, m *member, content []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	pos, err := m.journal.Append(ctx, mesh.KindMessage, 1, mesh.Identity{}, func(mesh.Header) ([]byte, error) { return content, nil })
	if err == nil {
		err = m.replica.WaitDurable(ctx, pos, 0)
	}
	if err != nil {
		t.Error(err)
	}
}

// All three write at once, one dies; what was acknowledged is at the others.
func TestRule05_OverRealLinks(t *testing.T) {
	all := startMesh(t)
	var wg sync.WaitGroup
	for _, m := range all {
		for range 8 {
			wg.Go(func() {
				for i := range 50 {
					write(t, m, fmt.Append(nil, i))
				}
			})
		}
	}
	wg.Wait()
	dead := all[0].origin
	all[0].stop()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, m := range all[1:] {
		for _, o := range []mesh.Origin{dead, all[1].origin, all[2].origin} {
			if err := m.journal.WaitMark(ctx, o, 400); err != nil {
				t.Error(err)
			}
			if err := m.replica.WaitDurable(ctx, mesh.Position{Origin: o, Number: 400}, 0); err != nil {
				t.Error(err)
			}
		}
		if q := m.replica.Quarantined(); len(q) > 0 {
			t.Errorf("quarantined %v", q)
		}
	}
}

// BenchmarkDurable shows entries per second that are durable at two of three
// sites, all three nodes on this machine.
func BenchmarkDurable(b *testing.B) {
	for _, producers := range []int{1, 64, 256, 1024} {
		b.Run(fmt.Sprintf("producers=%d", producers), func(b *testing.B) {
			all := startMesh(b)
			content := make([]byte, 150)
			var left atomic.Int64
			left.Store(int64(b.N))
			b.ResetTimer()
			var wg sync.WaitGroup
			for range producers {
				wg.Go(func() {
					for left.Add(-1) >= 0 {
						write(b, all[0], content)
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "durable/s")
		})
	}
}
