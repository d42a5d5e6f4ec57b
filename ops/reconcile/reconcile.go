// Package reconcile asks central to compare everything now, and says in plain
// sentences what differs and what to do. It changes nothing but, when asked,
// the explanation of a case. It knows central by its management address only,
// and owns no goroutine.
package reconcile

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// Exit codes.
const (
	exitDone   = 0
	exitFault  = 1
	exitUsage  = 64
	exitNobody = 69
)

// Options of one run.
type Options struct {
	Central   string        `default:"http://127.0.0.1:8080" help:"Central's management address (status.listen, or listen where that is empty)."`
	TokenFile string        `help:"File with the management token, from elsewhere than loopback."`
	JSON      bool          `name:"json" help:"Print central's answer as it is."`
	Timeout   time.Duration `default:"11m" help:"How long to wait; central itself stops after 10 minutes."`
	Explain   string        `placeholder:"CASE" help:"Explain a case instead: it no longer counts as an open fault until it is gone and comes back."`
	Note      string        `help:"Why the case is as it is; kept sealed."`
}

type report struct {
	Full     bool     `json:"full"`
	Whole    bool     `json:"whole"`
	Nodes    int      `json:"nodes"`
	Answered int      `json:"nodes_answered"`
	Silent   []string `json:"nodes_silent"`
	Examined int      `json:"examined"`
	Faults   int      `json:"faults"`
	ToKnow   int      `json:"to_know"`
	Watched  int      `json:"watched"`
	Cases    []found  `json:"cases"`
	More     int      `json:"more"`
}

type found struct {
	ID       string    `json:"id"`
	Severity string    `json:"severity"`
	State    string    `json:"state"`
	Owner    string    `json:"owner"`
	Place    string    `json:"place"`
	Expected string    `json:"expected"`
	Found    string    `json:"found"`
	Since    time.Time `json:"since"`
	Sentence string    `json:"sentence"`
	Advice   string    `json:"advice"`
}

// Run asks and prints; it returns the exit code: 0 nothing is at fault, 1 an
// open fault stands, 69 nobody answered.
func Run(ctx context.Context, o Options, out, errOut io.Writer) int {
	code, err := run(ctx, o, out)
	if err != nil {
		fmt.Fprintln(errOut, "vedettactl:", err)
	}
	return code
}

func run(ctx context.Context, o Options, out io.Writer) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	if o.Explain != "" || o.Note != "" {
		if o.Explain == "" || strings.TrimSpace(o.Note) == "" {
			return exitUsage, errors.New("--explain wants a case and --note why it is so")
		}
		body, err := json.Marshal(map[string]string{"case": o.Explain, "note": o.Note})
		if err != nil {
			return exitFault, err
		}
		if code, _, err := post(ctx, o, "/reconcile/explain", body); err != nil {
			return code, err
		}
		_, err = fmt.Fprintf(out, "Case %s is explained.\n", o.Explain)
		return exitDone, err
	}
	code, answer, err := post(ctx, o, "/reconcile", nil)
	if err != nil {
		return code, err
	}
	var r report
	if err := json.Unmarshal(answer, &r); err != nil {
		return exitFault, fmt.Errorf("central's answer: %w", err)
	}
	if o.JSON {
		_, err = out.Write(answer)
	} else {
		_, err = io.WriteString(out, r.text(time.Now()))
	}
	switch {
	case err != nil:
		return exitFault, err
	case r.Faults > 0:
		return exitFault, nil
	case r.Answered == 0:
		return exitNobody, nil
	}
	return exitDone, nil
}

func post(ctx context.Context, o Options, path string, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(o.Central, "/")+path, bytes.NewReader(body))
	if err != nil {
		return exitUsage, nil, fmt.Errorf("--central: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if o.TokenFile != "" {
		b, err := os.ReadFile(o.TokenFile)
		if err != nil {
			return exitUsage, nil, fmt.Errorf("--token-file: %w", err)
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(b)))
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return exitNobody, nil, fmt.Errorf("central didn't answer: %w", err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return exitNobody, nil, fmt.Errorf("central's answer broke off: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		var in struct {
			Error string `json:"error"`
		}
		if json.Unmarshal(answer, &in) != nil || in.Error == "" {
			in.Error = strings.TrimSpace(string(answer[:min(len(answer), 300)]))
		}
		return exitFault, nil, fmt.Errorf("central answered %s: %s", res.Status, in.Error)
	}
	return exitDone, answer, nil
}

// text is the report as people read it.
func (r report) text(now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Compared with %d of %d nodes; %d things looked at", r.Answered, r.Nodes, r.Examined)
	if !r.Full {
		b.WriteString(", not all: the rest follows minute by minute")
	}
	b.WriteString(".\n")
	if len(r.Silent) > 0 && r.Answered > 0 {
		fmt.Fprintf(&b, "No answer from %s: what only it could show is not judged.\n", strings.Join(r.Silent, ", "))
	}
	switch {
	case r.Answered == 0:
		b.WriteString("No node answered central: only what central holds was compared, and nothing can be said to be late.\n")
	case !r.Whole:
		b.WriteString("Central had not yet received all that was durable: what is late is judged up to its last known state.\n")
	}
	for _, c := range r.Cases {
		head := "FAULT"
		switch {
		case c.State == "explained":
			head = "EXPLAINED"
		case c.Severity == "to_know":
			head = "TO KNOW"
		}
		if c.State == "reopened" {
			head += " (back again)"
		}
		fmt.Fprintf(&b, "\n%s: %s.\n  at %s: expected %s, found %s\n  since %s (%s), owner %s, case %s\n", head, c.Sentence, c.Place, c.Expected, c.Found,
			c.Since.UTC().Format("2006-01-02 15:04:05 UTC"), now.Sub(c.Since).Round(time.Second), c.Owner, c.ID)
		if head != "EXPLAINED" {
			fmt.Fprintf(&b, "  What to do: %s.\n", c.Advice)
		}
	}
	if r.More > 0 {
		fmt.Fprintf(&b, "\n%d more cases are not shown.\n", r.More)
	}
	b.WriteByte('\n')
	if r.Faults == 0 {
		b.WriteString("No open fault.")
	} else {
		fmt.Fprintf(&b, "Open faults: %d.", r.Faults)
	}
	if r.ToKnow > 0 {
		fmt.Fprintf(&b, " To know: %d.", r.ToKnow)
	}
	if r.Watched > 0 {
		fmt.Fprintf(&b, " Watched, not yet standing long enough to be a case: %d.", r.Watched)
	}
	b.WriteByte('\n')
	return b.String()
}
