package fleet

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"time"

	"vedetta/ops/panel"
	"vedetta/ops/panel/load"
	"vedetta/wire/dc09"
)

// unit is one panel of the fleet. Its counters are its own until it has ended.
type unit struct {
	*run
	id      int
	account account
	jobs    chan job
	chance  *rand.Rand

	right *panel.Panel // as it should be
	other *panel.Panel // with another key, nil without one
	late  *panel.Panel // its clock an hour behind
	write func(net.Conn, []byte) error
	at    int // index of the address that it reports to
	seq   int
	said  int       // events so far
	free  time.Time // when the last planted fault was over

	tally
	lastWhy string
}

// job is one message that is due.
type job struct {
	due   time.Time
	token string
}

// tally is what a unit counts.
type tally struct {
	messages, sent, acknowledged, again int
	answers                             map[panel.Answer]int
	times                               load.Times
	lag                                 time.Duration // of the latest start
	firstWhy                            string
	faults                              map[string]*faulty
}

// faulty is what came of one kind of fault.
type faulty struct {
	sent, otherwise int
	first           string
}

func (r *run) unit(id int) (*unit, error) {
	u := &unit{run: r, id: id, account: r.accounts[id%len(r.accounts)], jobs: make(chan job, 32), at: id,
		chance: rand.New(rand.NewPCG(r.Seed, uint64(id))), tally: tally{answers: map[panel.Answer]int{}, faults: map[string]*faulty{}}}
	u.seq = u.chance.IntN(9999)
	cfg := panel.Config{Account: u.account.number, Prefix: u.account.prefix, Receiver: u.account.receiver, Key: u.account.key, Via: r.Via, Timeout: r.Timeout,
		Write: func(c net.Conn, b []byte) error {
			if u.write != nil {
				return u.write(c, b)
			}
			_, err := c.Write(b)
			return err
		}}
	if loopback(hostOf(r.To[0])) && net.ParseIP(hostOf(r.To[0])).To4() != nil && !r.Via.UDP {
		// Ports of one source address would run out, and many panels have many addresses.
		cfg.From = &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+id%200))}
	}
	var err error
	if u.right, err = panel.New(cfg); err != nil {
		return nil, err
	}
	behind := cfg
	behind.Now = func() time.Time { return time.Now().Add(-time.Hour) }
	if u.late, err = panel.New(behind); err != nil {
		return nil, err
	}
	if len(cfg.Key) > 0 {
		wrong := cfg
		wrong.Key = make([]byte, len(cfg.Key))
		for i, b := range cfg.Key {
			wrong.Key[i] = ^b
		}
		u.other, err = panel.New(wrong)
	}
	return u, err
}

func hostOf(to string) string {
	host, _, err := net.SplitHostPort(to)
	if err != nil {
		return to
	}
	return host
}

func (u *unit) close() error {
	err := errors.Join(u.right.Close(), u.late.Close())
	if u.other != nil {
		err = errors.Join(err, u.other.Close())
	}
	return err
}

func (u *unit) address() string { return u.To[u.at%len(u.To)] }

// work does what is due until there is no more, or in a closed loop until the end.
func (u *unit) work() {
	for j := range u.jobs {
		u.do(j)
	}
	if u.rate > 0 {
		return
	}
	for time.Now().Before(u.end) && u.ctx.Err() == nil {
		u.do(job{time.Now(), u.kind(u.said)})
	}
}

func (u *unit) do(j job) {
	if u.ctx.Err() != nil {
		return
	}
	u.messages++
	u.begun.Add(1)
	if j.due.Before(u.free) {
		j.due = u.free // it waited for a fault that was planted here, not for the receiver
	}
	u.lag = max(u.lag, time.Since(j.due))
	u.said++
	if u.seq++; u.seq > 9999 {
		u.seq = 1
	}
	token, data := u.message(j.token)
	f := u.fault()
	if f == nil {
		if u.deliver(token, u.seq, data) {
			u.times = append(u.times, uint32(min(time.Since(j.due).Microseconds(), 1<<32-1)))
		}
	} else {
		was := u.faults[f.name]
		if was == nil {
			was = &faulty{}
			u.faults[f.name] = was
		}
		was.sent++
		if otherwise := f.send(u, token, u.seq, data); otherwise != "" {
			if was.otherwise++; was.first == "" {
				was.first = otherwise
			}
		}
		u.free = time.Now()
	}
	if u.PerMessage {
		if err := u.right.Close(); err != nil && u.firstWhy == "" {
			u.firstWhy = err.Error()
		}
	}
}

// deliver sends a message until it is acknowledged, refused for good, or was sent
// twice to each address.
func (u *unit) deliver(token string, seq int, data string) bool {
	for i := range 2 * len(u.To) {
		x := u.out(u.right, u.Timeout+time.Second, token, seq, data, nil)
		if u.ctx.Err() != nil && x.Answer == panel.AnswerSilence {
			u.lastWhy = context.Cause(u.ctx).Error()
			return false
		}
		u.count(x)
		switch x.Answer {
		case panel.AnswerACK:
			u.acknowledged++
			u.acked.Add(1)
			if i > 0 {
				u.again++
			}
			return true
		case panel.AnswerDUH:
			return false // a panel must not repeat it
		case panel.AnswerSilence:
			u.at++
		}
	}
	return false
}

func (u *unit) count(x panel.Exchange) {
	u.answers[x.Answer]++
	if x.Answer == panel.AnswerACK {
		return
	}
	if u.lastWhy = say(x); u.firstWhy == "" {
		u.firstWhy = fmt.Sprintf("%s, account %s at %s", u.lastWhy, u.account.number, x.To)
	}
}

// message is what a message of a kind says; the text of every event is its own.
func (u *unit) message(kind string) (token, data string) {
	number := 1 + u.id%999
	mark := fmt.Sprintf("^load %s-%d-%d^", u.mark, u.id, u.said)
	switch kind {
	case "poll":
		return dc09.TokenNull, ""
	case "test":
		return dc09.TokenSIA, "Nri0/RP0000" + mark
	case "opening":
		return dc09.TokenSIA, fmt.Sprintf("Nri1/%s%03d%s", pick(u.said%2 == 0, "OP", "CL"), number, mark)
	}
	if u.id%3 == 2 {
		return dc09.TokenCID, fmt.Sprintf("%s130 01 %03d", pick(u.said%2 == 0, "1", "3"), number)
	}
	return dc09.TokenSIA, fmt.Sprintf("Nri1/%s%03d%s", pick(u.said%2 == 0, "BA", "BH"), number, mark)
}

func pick(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

// fault is the one that the next message has, nil for none.
func (u *unit) fault() *fault {
	if u.Fault == "none" || u.chance.Float64() >= u.Share {
		return nil
	}
	var fit []*fault
	for i := range faults {
		f := &faults[i]
		if (u.Fault == "mixed" || u.Fault == f.name) && !(f.stream && u.Via.UDP) && !(f.keyed && u.other == nil) {
			fit = append(fit, f)
		}
	}
	return fit[u.chance.IntN(len(fit))]
}
