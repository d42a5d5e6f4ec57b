package chaos

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"vedetta/ops/panel"
)

// Account is one panel as it is entered at central.
type Account struct {
	Number string
	Key    []byte // empty: plain
	seq    atomic.Uint32
}

// sequence is the account's next one: 1 to 9999, then 1 again.
func (a *Account) sequence() int { return int((a.seq.Add(1)-1)%9999) + 1 }

// Sent is the generator's record of one distinct alarm.
type Sent struct {
	Text         string        `json:"text"`
	Account      string        `json:"account"`
	Sequence     int           `json:"sequence"`
	UDP          bool          `json:"udp"`
	Encrypted    bool          `json:"encrypted"`
	At           time.Time     `json:"at"`           // first sent
	Acknowledged time.Time     `json:"acknowledged"` // zero: never
	By           string        `json:"by"`           // address that acknowledged
	Latency      time.Duration `json:"latency_ns"`   // of the exchange that was acknowledged
	Tries        int           `json:"tries"`
}

// generator is many panels that report at a steady rate.
type generator struct {
	nodes    []string // addresses
	accounts []*Account
	alarms   int
	senders  int           // panels that report at the same time
	over     time.Duration // which all alarms are spread over
	silence  time.Duration // after which a panel turns to the next address
	patience time.Duration // of a panel with one alarm; it would go on, but a run ends

	mu   sync.Mutex
	sent []Sent
}

// run sends all alarms and returns the record. A sender that is behind sends
// at once, so that a stall of the product is followed by a rush.
func (g *generator) run(ctx context.Context) ([]Sent, error) {
	var wg sync.WaitGroup
	began := time.Now()
	failed := make(chan error, g.senders)
	for w := range g.senders {
		wg.Go(func() {
			if err := g.send(ctx, w, began); err != nil {
				failed <- err
			}
		})
	}
	wg.Wait()
	select {
	case err := <-failed:
		return nil, err
	default:
		return g.sent, ctx.Err()
	}
}

// send is one sender: a panel with its own connection, its own first address
// and its own share of the alarms. The sequence belongs to the account.
func (g *generator) send(ctx context.Context, w int, began time.Time) error {
	account := g.accounts[w%len(g.accounts)]
	udp := w/len(g.accounts)%2 == 1
	p, err := panel.New(panel.Config{Account: account.Number, Key: account.Key, Via: panel.Transport{UDP: udp}, Timeout: g.silence})
	if err != nil {
		return err
	}
	defer p.Close()
	at := w % len(g.nodes) // where the last answer came from
	for i := w; i < g.alarms; i += g.senders {
		due := began.Add(g.over * time.Duration(i) / time.Duration(g.alarms))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Until(due)):
		}
		if i/g.senders%16 == 15 {
			at = w % len(g.nodes) // back to its first address, as panels do
		}
		s := Sent{Text: fmt.Sprintf("~chaos %d~", i), Account: account.Number, Sequence: account.sequence(), UDP: udp, Encrypted: len(account.Key) > 0, At: time.Now()}
		if at, err = g.until(ctx, p, &s, at); err != nil {
			return err
		}
		g.mu.Lock()
		g.sent = append(g.sent, s)
		g.mu.Unlock()
	}
	return nil
}

// until tries the addresses in turn from the at-th, each time newly stamped and
// encrypted, until one acknowledges; it returns which one.
func (g *generator) until(ctx context.Context, p *panel.Panel, s *Sent, at int) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, g.patience)
	defer cancel()
	for ; ctx.Err() == nil; at = (at + 1) % len(g.nodes) {
		s.Tries++
		x, err := p.Send(ctx, g.nodes[at], "SIA-DCS", s.Sequence, "Nri1/BA001^"+s.Text+"^")
		if err != nil {
			return at, fmt.Errorf("alarm %s: %w", s.Text, err)
		}
		if x.Answer == panel.AnswerACK {
			s.Acknowledged, s.By, s.Latency = time.Now(), x.To, x.Latency
			return at, nil
		}
		if s.Tries%len(g.nodes) == 0 {
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	return at, nil
}
