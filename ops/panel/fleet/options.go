// Package fleet is `vedettactl panel load`: many panels that report to a receiver at
// a rate, by a profile, with faults of the way, and what came of it in figures. Any
// receiver can be asked; what is counted is what a panel sees.
//
// The rate is kept by the clock, whatever the answers do, and a latency counts from
// when the message was due: a receiver that stalls can't hide it. One goroutine a
// panel; all end with Run. Frames and answers are package panel's.
package fleet

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"vedetta/ops/panel"
	"vedetta/wire/dc09"
)

// Exit codes of `vedettactl panel load`; a promise.
const (
	ExitDone   = 0
	ExitFault  = 1 // a message was not acknowledged, or a fault was answered otherwise than it must be
	ExitUsage  = 64
	ExitNobody = 69
)

// Options of `vedettactl panel load`.
type Options struct {
	To         []string        `name:"to" required:"" sep:"," placeholder:"HOST:PORT" help:"Addresses; panels spread over them, and turn to the next one on silence."`
	Mine       bool            `name:"yes-this-is-mine" help:"The addresses aren't this machine's, and the receiver there is mine to load."`
	Panels     int             `name:"panels" help:"Panels at once, 1 to 50,000; when left out, one for each account of a file, else 100."`
	Rate       string          `name:"rate" default:"50/s" help:"Messages of all panels together, as 200/s or 3000/min; max: each panel as fast as its answers come."`
	Duration   time.Duration   `name:"duration" default:"10s" help:"How long, up to 24h."`
	Profile    string          `name:"profile" enum:"poll,alarms,mixed,burst,storm" default:"mixed" help:"poll: link tests. alarms: burglary and its restoral. mixed: nine polls of ten, else openings, tests and alarms. burst: ten alarms of one panel at once. storm: polls, and thrice an alarm of all panels at the same moment."`
	PerMessage bool            `name:"per-message" help:"A connection for each message."`
	Long       bool            `name:"long" help:"One connection for each panel, kept: so it is when --per-message isn't given."`
	Fault      string          `name:"fault" enum:"none,drop,split,slow,bad-crc,wrong-key,old-clock,duplicate,mixed" default:"none" help:"Fault of some messages: see above."`
	Share      float64         `name:"fault-share" default:"0.1" help:"Share of messages that have it, 0 to 1."`
	Accounts   string          `name:"accounts" placeholder:"FILE" help:"Accounts, one a line: account[,key[,prefix[,receiver]]]; # begins a remark."`
	Account    []string        `name:"account" sep:"," help:"Accounts, all with --key or all without."`
	Generate   string          `name:"generate" placeholder:"FIRST" help:"Accounts from FIRST on, counted in hex, one for each panel; all with --key or all without."`
	Key        string          `name:"key" help:"Key of --account or --generate; hex:... or text:... decides. It shows in the machine's list of processes: see --key-file."`
	KeyFile    string          `name:"key-file" placeholder:"FILE" help:"File whose first line is the key."`
	Prefix     string          `name:"prefix" default:"0" help:"Behind the L."`
	Receiver   string          `name:"receiver" help:"Behind the R; no R when left out."`
	Via        panel.Transport `embed:""`
	Timeout    time.Duration   `name:"timeout" default:"5s" help:"Silence at one address."`
	Seed       uint64          `name:"seed" help:"Of what is left to chance; 0: another one each time."`
	JSON       bool            `name:"json" help:"One JSON object instead of the text."`
}

// Help says what the faults are and what is expected of them.
func (Options) Help() string {
	var b strings.Builder
	b.WriteString(`Be many panels, and say in figures what a receiver made of it: messages, answers by kind, latency from when a message was due to its ACK. Each message is repeated on silence, to the next address, as panels do: twice at each address.

Faults, and what must come (--fault mixed: any of them):
`)
	for _, f := range faults {
		fmt.Fprintf(&b, "\n    %-10s %s: %s", f.name, f.what, f.expected)
	}
	b.WriteString(`

The receiver must know the accounts; with fewer accounts than panels they are used in turn. Addresses that aren't this machine's are refused without --yes-this-is-mine.

Exit 0: all acknowledged, and every fault answered as it must be. 1: not so. 64: wrong usage. 69: nobody answered.`)
	return b.String()
}

// account is what a panel reports under.
type account struct {
	number, prefix, receiver string
	key                      []byte
}

// plan is what Options say, checked.
type plan struct {
	Options
	accounts []account
	rate     float64 // messages per second; 0: as fast as answers come
}

func (o Options) plan() (p plan, err error) {
	p.Options = o
	switch {
	case len(o.To) == 0:
		return p, errors.New("--to: want at least one HOST:PORT")
	case o.Duration <= 0 || o.Duration > 24*time.Hour:
		return p, fmt.Errorf("--duration %s: want up to 24h", o.Duration)
	case o.Timeout <= 0:
		return p, fmt.Errorf("--timeout %s: want a positive duration such as 5s", o.Timeout)
	case o.Share < 0 || o.Share > 1:
		return p, fmt.Errorf("--fault-share %g: want 0 to 1", o.Share)
	case o.PerMessage && o.Long:
		return p, errors.New("--per-message and --long: want one of them")
	case o.Via.UDP && (o.Fault == "split" || o.Fault == "slow"):
		return p, fmt.Errorf("--fault %s: a datagram is whole; want TCP or TLS", o.Fault)
	}
	for _, to := range o.To {
		host, port, err := net.SplitHostPort(to)
		if err != nil || port == "" || host == "" {
			return p, fmt.Errorf("--to %q: want HOST:PORT", to)
		}
		if !loopback(host) && !o.Mine {
			return p, fmt.Errorf("--to %s: not this machine; load is only for a receiver of your own: say so with --yes-this-is-mine", to)
		}
	}
	if _, err := o.Via.Config(); err != nil {
		return p, err
	}
	if p.rate, err = parseRate(o.Rate); err != nil {
		return p, err
	}
	if p.rate == 0 && (o.Profile == "burst" || o.Profile == "storm") {
		return p, fmt.Errorf("--rate max: the profile %s wants a rate, as 200/s", o.Profile)
	}
	if o.Panels == 0 && o.Accounts == "" {
		o.Panels = 100
	}
	if p.accounts, err = o.fleet(); err != nil {
		return p, err
	}
	if o.Panels == 0 {
		o.Panels = len(p.accounts)
	}
	p.Panels = o.Panels
	if o.Panels < 1 || o.Panels > 50_000 {
		return p, fmt.Errorf("--panels %d: want 1 to 50,000", o.Panels)
	}
	for _, a := range p.accounts {
		if o.Fault == "wrong-key" && len(a.key) == 0 {
			return p, fmt.Errorf("--fault wrong-key: account %s has no key; want keys for all", a.number)
		}
	}
	return p, nil
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback() || host == "localhost"
}

var rateForm = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)(?:/(s|min|h))?$`)

func parseRate(s string) (float64, error) {
	if s == "max" {
		return 0, nil
	}
	m := rateForm.FindStringSubmatch(s)
	if m == nil {
		return 0, fmt.Errorf("--rate %q: want messages per second, as 200/s, 3000/min or max", s)
	}
	r, err := strconv.ParseFloat(m[1], 64)
	r /= map[string]float64{"": 1, "s": 1, "min": 60, "h": 3600}[m[2]]
	if err != nil || r <= 0 || r > 50_000 {
		return 0, fmt.Errorf("--rate %q: want more than 0 and up to 50,000/s", s)
	}
	return r, nil
}

var accountForm = regexp.MustCompile(`^[0-9A-Fa-f]{3,16}$`)

// fleet lists the accounts.
func (o Options) fleet() (all []account, err error) {
	ways := 0
	for _, given := range []bool{o.Accounts != "", len(o.Account) > 0, o.Generate != ""} {
		if given {
			ways++
		}
	}
	if ways != 1 {
		return nil, errors.New("want one of --accounts FILE, --account A,B and --generate FIRST")
	}
	typed, from := o.Key, "--key"
	if o.KeyFile != "" {
		if from = "--key-file"; o.Key != "" {
			return nil, errors.New("--key and --key-file: want one of them")
		}
		b, err := os.ReadFile(o.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("--key-file: %w", err)
		}
		typed = strings.TrimRight(string(b), "\r\n")
	}
	if o.Accounts != "" {
		if typed != "" {
			return nil, fmt.Errorf("%s: keys stand in the file of --accounts", from)
		}
		return o.file()
	}
	var key []byte
	if typed != "" {
		if key, _, err = dc09.ParseKey(typed); err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
	}
	numbers, flag := o.Account, "--account"
	if o.Generate != "" {
		flag = "--generate"
		first, err := strconv.ParseUint(o.Generate, 16, 64)
		if err != nil || !accountForm.MatchString(o.Generate) {
			return nil, fmt.Errorf("--generate %q: want the first account, 3 to 16 hex digits", o.Generate)
		}
		for i := range o.Panels {
			n := fmt.Sprintf("%0*X", len(o.Generate), first+uint64(i))
			if len(n) > len(o.Generate) || first+uint64(i) < first {
				return nil, fmt.Errorf("--generate %s: no room for %d accounts of %d digits", o.Generate, o.Panels, len(o.Generate))
			}
			numbers = append(numbers, n)
		}
	}
	for _, n := range numbers {
		if !accountForm.MatchString(n) {
			return nil, fmt.Errorf("%s %q: want 3 to 16 hex digits", flag, n)
		}
		all = append(all, account{n, o.Prefix, o.Receiver, key})
	}
	return all, nil
}

// file reads --accounts.
func (o Options) file() (all []account, err error) {
	f, err := os.Open(o.Accounts)
	if err != nil {
		return nil, fmt.Errorf("--accounts: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line, _, _ := strings.Cut(lines.Text(), "#")
		if strings.TrimSpace(line) == "" {
			continue
		}
		fields := strings.Split(line, ",")
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		if n == 1 && fields[0] == "account" {
			continue // a header
		}
		a := account{number: fields[0], prefix: o.Prefix, receiver: o.Receiver}
		switch {
		case len(fields) > 4:
			return nil, fmt.Errorf("--accounts, line %d: %d fields, want account[,key[,prefix[,receiver]]]", n, len(fields))
		case !accountForm.MatchString(a.number):
			return nil, fmt.Errorf("--accounts, line %d: account %q, want 3 to 16 hex digits", n, a.number)
		}
		if len(fields) > 1 && fields[1] != "" {
			if a.key, _, err = dc09.ParseKey(fields[1]); err != nil {
				return nil, fmt.Errorf("--accounts, line %d: %w", n, err)
			}
		}
		if len(fields) > 2 && fields[2] != "" {
			a.prefix = fields[2]
		}
		if len(fields) > 3 && fields[3] != "" {
			a.receiver = fields[3]
		}
		all = append(all, a)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("--accounts: %w", err)
	}
	if len(all) == 0 {
		return nil, errors.New("--accounts: no account in the file, want one a line")
	}
	return all, nil
}
