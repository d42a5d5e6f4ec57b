package conform

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"time"

	"vedetta/ops/panel"
	"vedetta/wire/dc09"
)

// Exit codes of `vedettactl panel conform`; a promise.
const (
	ExitDone   = 0
	ExitFault  = 1 // something that must hold doesn't
	ExitUsage  = 64
	ExitNobody = 69
)

// Options of `vedettactl panel conform`.
type Options struct {
	To           string          `name:"to" required:"" placeholder:"HOST:PORT" help:"The receiver; TCP is asked, and UDP when it answers there."`
	Account      string          `name:"account" help:"Account that the receiver has a key for: 3 to 16 hex digits."`
	Key          string          `name:"key" help:"Its key; hex:... or text:... decides, else 32, 48 or 64 hex digits are hex and 16, 24 or 32 bytes text. It shows in the machine's list of processes: see --key-file."`
	KeyFile      string          `name:"key-file" placeholder:"FILE" help:"File whose first line is the key."`
	PlainAccount string          `name:"plain-account" help:"Account without a key."`
	Prefix       string          `name:"prefix" default:"0" help:"Behind the L, of both accounts."`
	Receiver     string          `name:"receiver" help:"Behind the R, of both accounts; no R when left out."`
	Via          panel.Transport `embed:""`
	Timeout      time.Duration   `name:"timeout" default:"5s" help:"How long an answer may take."`
	Quiet        time.Duration   `name:"quiet" default:"2s" help:"After this long nothing is expected to come, where no later answer proves it."`
	Brief        bool            `name:"brief" help:"One line for each check that passed."`
	JSON         bool            `name:"json" help:"One JSON object instead of the text."`

	hurried bool // tests: the slow checks are quick
}

// Help says what is asked of whom.
func (Options) Help() string {
	return `Asks any DC-09 receiver, clause by clause, what the standard demands: ` + fmt.Sprint(len(checks())) + ` checks of answers, frames, connections, contents, encryption, times and UDP, each with what was sent (hex), what was expected and what came. About 150 messages in a minute or two; all are test events (RP, 602) but for one of an unknown code (PE). Use accounts that are there for tests: the receiver will store them.

"must" is what the standard demands: a check that doesn't hold is a fault (FAIL). "may" is what it leaves open and panels in the field need: then it is an observation. What can't be asked is skipped with its reason.

Exit 0: no fault. 1: a fault was found. 64: wrong usage. 69: nobody answered.`
}

var accountForm = regexp.MustCompile(`^[0-9A-Fa-f]{3,16}$`)

func (o Options) target() (t Target, err error) {
	t = Target{To: o.To, Via: o.Via, Timeout: o.Timeout, Quiet: o.Quiet, Now: time.Now, slow: 250 * time.Millisecond, idle: 3 * time.Second}
	if o.hurried {
		t.slow, t.idle = 10*time.Millisecond, 200*time.Millisecond
	}
	if _, port, err := net.SplitHostPort(o.To); err != nil || port == "" {
		return t, fmt.Errorf("--to %q: want HOST:PORT", o.To)
	}
	if t.Secure, err = o.Via.Config(); err != nil {
		return t, err
	}
	if t.Timeout <= 0 || t.Quiet <= 0 {
		return t, errors.New("--timeout, --quiet: want a positive duration such as 5s")
	}
	typed, from := o.Key, "--key"
	if o.KeyFile != "" {
		if from = "--key-file"; o.Key != "" {
			return t, errors.New("--key and --key-file: want one of them")
		}
		b, err := os.ReadFile(o.KeyFile)
		if err != nil {
			return t, fmt.Errorf("--key-file: %w", err)
		}
		typed = strings.TrimRight(string(b), "\r\n")
	}
	account := func(flag, number string) (*Account, error) {
		if !accountForm.MatchString(number) {
			return nil, fmt.Errorf("%s %q: want 3 to 16 hex digits", flag, number)
		}
		a := &Account{Number: number, Prefix: &o.Prefix}
		if o.Receiver != "" {
			a.Receiver = &o.Receiver
		}
		return a, nil
	}
	if o.PlainAccount != "" {
		if t.Plain, err = account("--plain-account", o.PlainAccount); err != nil {
			return t, err
		}
	}
	switch {
	case o.Account == "" && typed != "":
		return t, fmt.Errorf("%s: want --account with it", from)
	case o.Account == "" && o.PlainAccount == "":
		return t, errors.New("want --account with --key or --key-file, --plain-account, or both")
	case o.Account == "":
		return t, nil
	case typed == "":
		return t, errors.New("--account: want --key or --key-file with it (an account without a key is --plain-account)")
	}
	if t.Keyed, err = account("--account", o.Account); err != nil {
		return t, err
	}
	b, _, err := dc09.ParseKey(typed)
	if err != nil {
		return t, fmt.Errorf("%s: %w", from, err)
	}
	t.Keyed.Cipher, err = dc09.NewCipher(b)
	return t, err
}

// Command runs the checks, prints the report and returns the exit code.
func Command(ctx context.Context, o Options, out, errOut io.Writer) int {
	t, err := o.target()
	if err != nil {
		fmt.Fprintln(errOut, "panel conform:", err)
		return ExitUsage
	}
	tell := func(r Result) { describe(out, r, o.Brief) }
	if o.JSON {
		tell = func(Result) {}
	}
	r, err := Run(ctx, t, tell)
	switch {
	case errors.Is(err, errNobody):
		if o.JSON {
			_ = json.NewEncoder(out).Encode(r) // what follows says it all
		}
		fmt.Fprintf(errOut, "panel conform: %s: nobody answered the first messages (%s); do accounts, key, R and L stand in the receiver as given here?\n", o.To, lastWhy(r))
		return ExitNobody
	case err != nil:
		fmt.Fprintf(errOut, "panel conform: ended early after %d checks: %v\n", len(r.Results), err)
		return ExitFault
	}
	if o.JSON {
		e := json.NewEncoder(out)
		e.SetEscapeHTML(false)
		if err := e.Encode(r); err != nil {
			fmt.Fprintln(errOut, "panel conform:", err)
			return ExitFault
		}
	} else {
		summary(out, r)
	}
	if r.Failed > 0 {
		return ExitFault
	}
	return ExitDone
}

func lastWhy(r Report) string {
	if n := len(r.Results); n > 0 {
		return r.Results[n-1].Why
	}
	return "nothing was asked"
}

// describe prints one check.
func describe(out io.Writer, r Result, brief bool) {
	fmt.Fprintf(out, "%-11s %-4s  %-25s %s\n", strings.ToUpper(string(r.Verdict)), r.Level, r.ID, r.Rule)
	if brief && r.Verdict == Pass {
		return
	}
	line := func(name, text string) { fmt.Fprintf(out, "                   %-9s %s\n", name, text) }
	line("clause", r.Clause)
	if r.Why != "" {
		line("why", r.Why)
	}
	for _, s := range r.Steps {
		if s.Sent != "" {
			line("sent", s.Sent)
			line("", readable(s.Sent))
		}
		line("expected", s.Expected)
		switch {
		case s.Came == "":
			line("came", fmt.Sprintf("nothing: %s, after %.4g s", s.Note, s.Seconds))
		default:
			line("came", fmt.Sprintf("%s, after %.4g s", s.Came, s.Seconds))
			line("", readable(s.Came))
		}
	}
}

// readable is hex as text for people.
func readable(h string) string {
	b, err := hex.DecodeString(h)
	if err != nil {
		return ""
	}
	if q := fmt.Sprintf("%q", b); len(q) <= 300 {
		return q
	}
	return fmt.Sprintf("%.140q ... %q (%d bytes)", b, b[len(b)-40:], len(b))
}

func summary(out io.Writer, r Report) {
	clock := "not seen"
	if r.ClockSeconds != nil {
		clock = fmt.Sprintf("%+g s to this machine's", *r.ClockSeconds)
	}
	fmt.Fprintf(out, "\n%s over %s: %d checks, %d passed, %d failed, %d observations, %d skipped; the receiver's clock: %s.\n",
		r.To, r.Transport, len(r.Results), r.Passed, r.Failed, r.Observed, r.Skipped, clock)
	for _, v := range []Verdict{Fail, Observation} {
		for _, x := range r.Results {
			if x.Verdict == v {
				fmt.Fprintf(out, "%-11s %-4s  %s: %s\n", strings.ToUpper(string(v)), x.Level, x.ID, x.Why)
			}
		}
	}
}
