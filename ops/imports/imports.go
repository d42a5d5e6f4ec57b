// Package imports hands a file of panels to central and prints what became of
// each row: what `vedettactl panels import` does. It knows central by its API
// only, checks nothing itself and owns no goroutine.
package imports

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// Exit codes; a promise.
const (
	exitDone   = 0
	exitFault  = 1  // rows can't be taken: nothing was imported
	exitUsage  = 64 // no such file, no key, or central refuses it
	exitNobody = 69
)

// maxFile is more than central takes of a file; what is longer is refused there.
const maxFile = 64 << 20

// Options of one import.
type Options struct {
	File    string        `arg:"" help:"CSV file, - for standard input: the columns' names in the first line, name and account at least. --template prints one." optional:""`
	DryRun  bool          `help:"Only say what would be done, and which rows can't be taken."`
	Update  bool          `help:"What the file says replaces what panels with its accounts have; without, such a row is a fault when it differs."`
	Central string        `default:"http://127.0.0.1:8080" help:"Central's address, as browsers reach it."`
	KeyFile string        `help:"File with the API key; without, it is read from the environment, VEDETTACTL_API_KEY."`
	Report  string        `placeholder:"FILE" help:"Write what became of every row, or every fault, into this CSV file."`
	JSON    bool          `name:"json" help:"Print central's answer as it is."`
	Wait    time.Duration `default:"2m" help:"How long to wait until the receivers know all panels; 0: not at all."`

	Template bool `help:"Print a file to begin with, and do nothing."`
}

type fault struct {
	Line     int     `json:"line"`
	Column   string  `json:"column"`
	Position int     `json:"position"`
	Code     string  `json:"code"`
	Expected string  `json:"expected"`
	Value    *string `json:"value"`
}

type report struct {
	ID        *string `json:"id"`
	Encoding  string  `json:"encoding"`
	Separator string  `json:"separator"`
	Rows      int     `json:"rows"`
	New       int     `json:"new"`
	Updated   int     `json:"updated"`
	Unchanged int     `json:"unchanged"`
	Bad       int     `json:"bad"`
	Faults    []fault `json:"faults"`
	InForce   bool    `json:"in_force"`
}

// problem is a refusal; Report is there when rows are at fault.
type problem struct {
	Title  string  `json:"title"`
	Detail string  `json:"detail"`
	Report *report `json:"report"`
}

// Run imports and returns the exit code.
func Run(ctx context.Context, o Options, out, errOut io.Writer) int {
	code, err := run(ctx, o, out)
	if err != nil {
		fmt.Fprintln(errOut, "vedettactl:", err)
	}
	return code
}

func run(ctx context.Context, o Options, out io.Writer) (int, error) {
	c := caller{ctx: ctx, base: strings.TrimRight(o.Central, "/") + "/api/v1", key: os.Getenv("VEDETTACTL_API_KEY")}
	if o.KeyFile != "" {
		b, err := os.ReadFile(o.KeyFile)
		if err != nil {
			return exitUsage, fmt.Errorf("--key-file: %w", err)
		}
		c.key = strings.TrimSpace(string(b))
	}
	if u, err := url.Parse(o.Central); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return exitUsage, fmt.Errorf("--central: want http://HOST:PORT or https://HOST")
	}
	if c.key == "" {
		return exitUsage, errors.New("want an API key: --key-file, or VEDETTACTL_API_KEY in the environment")
	}
	if o.Template {
		status, b, err := c.do(http.MethodGet, "/panels/import/template", nil)
		if err == nil && status == http.StatusOK {
			_, err = out.Write(b)
		}
		return c.outcome(status, b, err)
	}
	if o.File == "" {
		return exitUsage, errors.New("want a CSV file, or --template")
	}
	var file []byte
	var err error
	if o.File == "-" {
		file, err = io.ReadAll(io.LimitReader(os.Stdin, maxFile+1))
	} else {
		file, err = os.ReadFile(o.File)
	}
	if err != nil {
		return exitUsage, err
	}
	query := url.Values{"dry_run": {fmt.Sprint(o.DryRun)}, "update": {fmt.Sprint(o.Update)}}
	status, b, err := c.do(http.MethodPost, "/panels/import?"+query.Encode(), file)
	if err != nil {
		return exitNobody, err
	}
	var r report
	switch status {
	case http.StatusOK:
		err = json.Unmarshal(b, &r)
	case http.StatusUnprocessableEntity:
		var p problem
		if err = json.Unmarshal(b, &p); err == nil && p.Report != nil {
			r = *p.Report
			break
		}
		fallthrough
	default:
		return c.outcome(status, b, err)
	}
	if err != nil {
		return exitNobody, fmt.Errorf("answer of central: %w", err)
	}
	if r.ID != nil && !r.InForce && o.Wait > 0 {
		if r.InForce, err = c.await(*r.ID, o.Wait); err != nil {
			return exitNobody, err
		}
	}
	if o.JSON {
		_, err = out.Write(b)
	} else {
		_, err = io.WriteString(out, r.text(o.DryRun))
	}
	if err == nil && o.Report != "" {
		err = c.save(o.Report, r)
	}
	if err != nil {
		return exitFault, err
	}
	if len(r.Faults) > 0 {
		return exitFault, nil
	}
	return exitDone, nil
}

// text is what people read.
func (r report) text(dry bool) string {
	var b strings.Builder
	for _, f := range r.Faults {
		where := fmt.Sprintf("line %d", f.Line)
		if f.Line == 0 {
			where = "the file"
		}
		if f.Column != "" {
			where += fmt.Sprintf(", column %s", f.Column)
		}
		if f.Position > 0 {
			where += fmt.Sprintf(" (%d)", f.Position)
		}
		if f.Value != nil && *f.Value != "" {
			where += fmt.Sprintf(", %q", *f.Value)
		}
		fmt.Fprintf(&b, "%s: want %s\n", where, f.Expected)
	}
	separator := map[string]string{";": "semicolons", ",": "commas", "\t": "tabs"}[r.Separator]
	fmt.Fprintf(&b, "%d rows read (%s, %s): %d new, %d updated, %d as they were, %d bad\n", r.Rows, r.Encoding, separator, r.New, r.Updated, r.Unchanged, r.Bad)
	switch {
	case len(r.Faults) > 0:
		b.WriteString("Nothing is imported while a row is bad.\n")
	case dry:
		b.WriteString("Nothing was written: this was a dry run.\n")
	case r.ID == nil:
		b.WriteString("Nothing had to be changed.\n")
	case r.InForce:
		b.WriteString("Done: every receiver's roster has them.\n")
	default:
		b.WriteString("Entered; the receivers don't have all of them yet. They follow by themselves.\n")
	}
	return b.String()
}

type caller struct {
	ctx       context.Context
	base, key string
}

func (c caller) do(method, path string, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(c.ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	if body != nil {
		req.Header.Set("Content-Type", "text/csv")
	}
	resp, err := (&http.Client{Timeout: 6 * time.Minute}).Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("no answer from central, want its address as browsers reach it in --central: %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, b, err
}

// outcome is the exit code of an answer that is no report.
func (c caller) outcome(status int, b []byte, err error) (int, error) {
	var p problem
	switch {
	case err != nil:
		return exitNobody, err
	case status == http.StatusOK:
		return exitDone, nil
	case json.Unmarshal(b, &p) != nil:
		return exitNobody, fmt.Errorf("central answered %d", status)
	case status >= 500:
		return exitNobody, fmt.Errorf("central: %s %s", p.Title, p.Detail)
	}
	return exitUsage, fmt.Errorf("central: %s: %s", p.Title, p.Detail)
}

// await asks until the mesh has the import.
func (c caller) await(id string, most time.Duration) (bool, error) {
	end := time.Now().Add(most)
	for {
		status, b, err := c.do(http.MethodGet, "/imports/"+url.PathEscape(id), nil)
		var r report
		if err == nil && status == http.StatusOK {
			err = json.Unmarshal(b, &r)
		}
		if err != nil || r.InForce || time.Now().After(end) {
			return r.InForce, err
		}
		select {
		case <-c.ctx.Done():
			return false, c.ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// save writes the report as a file: central's of an import, else the faults.
func (c caller) save(path string, r report) error {
	var b []byte
	if r.ID != nil {
		status, got, err := c.do(http.MethodGet, "/imports/"+url.PathEscape(*r.ID)+"/report", nil)
		if err != nil || status != http.StatusOK {
			return fmt.Errorf("--report: central answered %d, %w", status, err)
		}
		b = got
	} else {
		b = r.csv()
	}
	return os.WriteFile(path, b, 0o600)
}
