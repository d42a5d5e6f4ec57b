package reception

import (
	"log/slog"
	"slices"
	"sync"
	"time"
)

// notTLS is what is counted when plain bytes come to a TLS port.
const notTLS = "plain-on-tls"

// panelProtocols are those that alarm panels speak besides DC-09: somebody waits for
// an alarm that will not come (reference row 31). The rest are scanners.
func panelProtocols() []string { return []string{"galaxy-sia", "aritech-oh", "visonic", notTLS} }

// foreignEvery is how often the log names one protocol.
const foreignEvery = time.Hour

// foreignLog names in the log what is not DC-09, seldom: scanners come by the
// thousand. It holds one time per protocol.
type foreignLog struct {
	mu   sync.Mutex
	last map[string]time.Time // guarded by mu
	more map[string]int       // guarded by mu; not told since
}

func (l *foreignLog) saw(protocol, listener string, now time.Time, log *slog.Logger) {
	if !slices.Contains(panelProtocols(), protocol) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		l.last, l.more = map[string]time.Time{}, map[string]int{}
	}
	if at, have := l.last[protocol]; have && now.Sub(at) < foreignEvery {
		l.more[protocol]++
		return
	}
	log.Warn("not DC-09: something speaks another panel protocol to a port for DC-09; vedetta_reception_foreign_total counts on, the log says it once an hour",
		"protocol", protocol, "listener", listener, "not_told", l.more[protocol])
	l.last[protocol], l.more[protocol] = now, 0
}
