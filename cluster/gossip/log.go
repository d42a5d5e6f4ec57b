package gossip

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// logEvery and logBurst bound what memberlist may log: a peer with another key,
// or a stranger with a packet generator, makes a line per packet.
const (
	logEvery = 10 * time.Second
	logBurst = 5
)

// lines passes memberlist's lines to our log one level lower: its warnings are
// hints too. What is too much is counted.
type lines struct {
	log     *slog.Logger
	dropped prometheus.Counter

	mu    sync.Mutex // guards the fields below
	left  int
	since time.Time
}

func (l *lines) Write(p []byte) (int, error) {
	level := slog.LevelDebug
	text := p
	for prefix, as := range map[string]slog.Level{"[ERROR]": slog.LevelInfo, "[ERR]": slog.LevelInfo, "[WARN]": slog.LevelDebug, "[INFO]": slog.LevelDebug, "[DEBUG]": slog.LevelDebug} {
		if rest, ok := bytes.CutPrefix(p, []byte(prefix)); ok {
			level, text = as, rest
		}
	}
	if !l.log.Enabled(context.Background(), level) {
		return len(p), nil
	}
	if !l.may(time.Now()) {
		l.dropped.Inc()
		return len(p), nil
	}
	l.log.Log(context.Background(), level, string(bytes.TrimSpace(text)))
	return len(p), nil
}

// may lets logBurst lines pass in logEvery.
func (l *lines) may(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.since) >= logEvery {
		l.since, l.left = now, logBurst
	}
	if l.left == 0 {
		return false
	}
	l.left--
	return true
}
