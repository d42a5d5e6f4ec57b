package panel

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"regexp"
	"time"

	"vedetta/wire/dc09"
)

// Options of `vedettactl panel send`.
type Options struct {
	To       []string      `name:"to" required:"" sep:"," placeholder:"HOST:PORT" help:"Addresses; the next one is tried on silence."`
	Account  string        `name:"account" required:"" help:"Account, 3 to 16 hex digits."`
	Key      string        `name:"key" help:"Key; hex:... or text:... decides, else 32, 48 or 64 hex digits are hex and 16, 24 or 32 bytes text."`
	Via      Transport     `embed:""`
	Token    string        `name:"token" enum:"SIA-DCS,ADM-CID,NULL" default:"SIA-DCS" help:"SIA-DCS, ADM-CID or NULL."`
	Seq      int           `name:"seq" default:"1" help:"Sequence of the first message, 0 to 9999."`
	Prefix   string        `name:"prefix" default:"0" help:"Digits after L."`
	Receiver string        `name:"receiver" help:"Digits after R; left out when empty."`
	Count    int           `name:"count" default:"1" help:"How many messages; the sequence advances, after 9999 comes 1."`
	Interval time.Duration `name:"interval" default:"1s" help:"Between messages."`
	Timeout  time.Duration `name:"timeout" default:"5s" help:"Silence at one address."`
	JSON     bool          `name:"json" help:"One line of JSON per message."`
	Data     string        `arg:"" optional:"" help:"Data behind #account|, as Nri1/BA001; data that begins with [ goes verbatim, with its extended data."`
}

// Exit codes of `vedettactl panel send`; a promise.
const (
	ExitACK     = 0
	ExitNAK     = 2
	ExitDUH     = 3
	ExitSilence = 4
	ExitWrong   = 5
	ExitUsage   = 64
)

// Send sends what the options say, prints each exchange and returns the exit
// code of the last one.
func Send(ctx context.Context, o Options, out io.Writer) int {
	p, err := newPanel(o)
	if err != nil {
		fmt.Fprintln(out, "panel send:", err)
		return ExitUsage
	}
	defer p.Close()
	code, seq := ExitSilence, o.Seq
	for i := range o.Count {
		if i > 0 {
			select {
			case <-ctx.Done():
				return code
			case <-time.After(o.Interval):
			}
			if seq++; seq > 9999 {
				seq = 1
			}
		}
		for _, to := range o.To {
			x, err := p.Send(ctx, to, o.Token, seq, o.Data)
			if err != nil {
				fmt.Fprintln(out, "panel send:", err)
				return ExitUsage
			}
			report(out, x, seq, o.JSON)
			if code = exitOf(x.Answer); code != ExitSilence {
				break
			}
		}
	}
	return code
}

var accountForm = regexp.MustCompile(`^[0-9A-Fa-f]{3,16}$`)

func newPanel(o Options) (*Panel, error) {
	switch {
	case len(o.To) == 0:
		return nil, fmt.Errorf("--to: want at least one HOST:PORT")
	case !accountForm.MatchString(o.Account):
		return nil, fmt.Errorf("--account %q: want 3 to 16 hex digits", o.Account)
	case o.Seq < 0 || o.Seq > 9999:
		return nil, fmt.Errorf("--seq %d: want 0 to 9999", o.Seq)
	case o.Data == "" && o.Token != dc09.TokenNull:
		return nil, fmt.Errorf("want DATA, as Nri1/BA001 (only NULL goes without)")
	}
	for _, to := range o.To {
		if _, port, err := net.SplitHostPort(to); err != nil || port == "" {
			return nil, fmt.Errorf("--to %q: want HOST:PORT", to)
		}
	}
	var key []byte
	if o.Key != "" {
		var err error
		if key, _, err = dc09.ParseKey(o.Key); err != nil {
			return nil, fmt.Errorf("--key: %w", err)
		}
	}
	return New(Config{Account: o.Account, Prefix: o.Prefix, Receiver: o.Receiver, Key: key, Via: o.Via, Timeout: o.Timeout})
}

func exitOf(a Answer) int {
	switch a {
	case AnswerACK:
		return ExitACK
	case AnswerNAK:
		return ExitNAK
	case AnswerDUH:
		return ExitDUH
	case AnswerSilence:
		return ExitSilence
	}
	return ExitWrong
}

func report(out io.Writer, x Exchange, seq int, asJSON bool) {
	if asJSON {
		b, err := json.Marshal(map[string]any{
			"to": x.To, "seq": seq, "sent": string(x.Sent), "received": string(x.Got),
			"answer": x.Answer, "exit": exitOf(x.Answer), "why": x.Why, "latency_seconds": x.Latency.Seconds(),
		})
		if err == nil {
			fmt.Fprintf(out, "%s\n", b)
		}
		return
	}
	fmt.Fprintf(out, "   to %s   %q\n", x.To, x.Sent)
	if len(x.Got) > 0 {
		fmt.Fprintf(out, "   answer %q\n", x.Got)
	}
	why := ""
	if x.Why != "" {
		why = ": " + x.Why
	}
	fmt.Fprintf(out, "   %s after %s%s\n", x.Answer, x.Latency.Round(10*time.Microsecond), why)
}
