// Package panelimport enters a customer's panels from a file as spreadsheets
// write it: CSV with commas, semicolons or tabs, in UTF-8, UTF-16 or
// Windows-1252, with the columns' names in the first line.
//
// A try names every row that can't be taken, by line, column and what was
// expected. An import is one transaction: all rows, or none when one is at
// fault. The same file again changes nothing. What was done is kept sealed for
// 30 days and can be had as a file. New starts nothing; Run, which forgets, is the
// only goroutine.
package panelimport

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"vedetta/central/history"
	"vedetta/central/keys"
	"vedetta/central/premises"
	"vedetta/central/store"
	"vedetta/wire/seal"
)

// MaxFile bounds a file, in bytes: some 50,000 panels with a few zones each.
const MaxFile = 32 << 20

const keepReports = 30 * 24 * time.Hour

// ErrNone says that the customer has no such import, or none any more.
var ErrNone = errors.New("there is no import with this id; what was done is kept for 30 days")

// Report is what an import did, or a try found.
type Report struct {
	ID        *string               `json:"id"`      // of the import; null: nothing was written
	Time      history.Time          `json:"time"`    //
	DryRun    bool                  `json:"dry_run"` // nothing was to be written
	Update    bool                  `json:"update"`  // rows replace what panels of their account had
	Encoding  string                `json:"encoding"`
	Separator string                `json:"separator"`
	Rows      int                   `json:"rows"`
	New       int                   `json:"new"`
	Updated   int                   `json:"updated"`
	Unchanged int                   `json:"unchanged"`
	Bad       int                   `json:"bad"` // rows with faults
	Faults    []Fault               `json:"faults"`
	Revision  uint64                `json:"revision"` // of the customer's roster with it; 0: nothing was written
	InForce   bool                  `json:"in_force"` // the mesh has it
	Done      []premises.ImportDone `json:"-"`
}

// Fault is one value that can't be taken.
type Fault struct {
	Line     int     `json:"line"`     // 1 is the first of the file; 0: the whole file
	Column   string  `json:"column"`   // as the file names it; empty: the whole row
	Position int     `json:"position"` // of the column, 1 is the first; 0: the whole row
	Code     string  `json:"code"`
	Expected string  `json:"expected"`
	Value    *string `json:"value"` // shortened; null: a key, or no single value
}

// Importer is safe for several goroutines.
type Importer struct {
	db       *store.DB
	ring     *keys.Ring
	premises *premises.Premises
	working  chan struct{} // a file takes a multiple of its bytes: only so many at once
}

// atOnce is how many files are worked on; others wait.
const atOnce = 2

// New starts nothing.
func New(db *store.DB, ring *keys.Ring, p *premises.Premises) *Importer {
	return &Importer{db: db, ring: ring, premises: p, working: make(chan struct{}, atOnce)}
}

// Try says what Import would do with the file.
func (i *Importer) Try(ctx context.Context, now time.Time, customer string, file []byte, update bool) (Report, error) {
	if err := i.begin(ctx); err != nil {
		return Report{}, err
	}
	defer i.end()
	f := read(file)
	r := f.report(now, true, update)
	done, faults, err := i.premises.TryImport(ctx, now, customer, f.rows, update)
	if err != nil {
		return r, err
	}
	f.note(&r, done, faults)
	return r, nil
}

// Import enters all panels of the file; when Faults of its report isn't empty,
// none. The error is for what is not the file's fault.
func (i *Importer) Import(ctx context.Context, now time.Time, customer string, file []byte, update bool) (Report, error) {
	if err := i.begin(ctx); err != nil {
		return Report{}, err
	}
	defer i.end()
	f := read(file)
	r := f.report(now, false, update)
	if len(f.faults) > 0 { // with all else that is wrong
		done, faults, err := i.premises.TryImport(ctx, now, customer, f.rows, update)
		f.note(&r, done, faults)
		return r, err
	}
	k, err := i.ring.Of(customer)
	if err != nil {
		return r, err
	}
	err = i.db.Write(ctx, func(tx *sql.Tx) error {
		var faults []premises.ImportFault
		var done []premises.ImportDone
		var revision uint64
		err := i.premises.EditIn(ctx, tx, now, customer, func(c *premises.Change) (err error) {
			done, faults, err = c.Import(f.rows, update)
			revision = c.Revision()
			return err
		})
		if err != nil {
			return err
		}
		f.note(&r, done, faults)
		if len(r.Faults) > 0 || r.New+r.Updated == 0 {
			return nil
		}
		id := premises.NewID()
		r.ID, r.Revision = &id, revision
		return keep(ctx, tx, k, now, customer, r)
	})
	if err == nil && r.ID != nil {
		i.premises.Hint()
	}
	return r, err
}

func (i *Importer) begin(ctx context.Context) error {
	select {
	case i.working <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (i *Importer) end() { <-i.working }

// kept is the sealed form.
type kept struct {
	Report Report                `json:"report"`
	Done   []premises.ImportDone `json:"done"`
}

func keep(ctx context.Context, tx *sql.Tx, k seal.Key, now time.Time, customer string, r Report) error {
	b, err := json.Marshal(kept{r, r.Done})
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO imports(id, customer_id, at_ms, revision, sealed_report) VALUES(?1, ?2, ?3, ?4, ?5)`,
		*r.ID, customer, now.UnixMilli(), int64(r.Revision), seal.SealColumn(k, "import:"+*r.ID, b))
	if err != nil {
		return fmt.Errorf("keep report of import: %w", err)
	}
	return nil
}

// Forget deletes reports that are over 30 days old: they name panels.
func (i *Importer) Forget(ctx context.Context, now time.Time) error {
	err := i.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM imports WHERE at_ms < ?1`, now.Add(-keepReports).UnixMilli())
		return err
	})
	if err != nil {
		return fmt.Errorf("forget reports of imports: %w", err)
	}
	return nil
}

const forgetEvery = time.Hour

// Run forgets until ctx ends. It returns only ctx's error, or a fatal one of the
// disk below.
func (i *Importer) Run(ctx context.Context) error {
	tick := time.NewTicker(forgetEvery)
	defer tick.Stop()
	for {
		if err := i.Forget(ctx, time.Now()); store.Fatal(err) { // another is tried again in an hour
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// Report is what an import of the customer's did, or ErrNone; InForce is as of now.
func (i *Importer) Report(ctx context.Context, customer, id string) (r Report, err error) {
	k, err := i.ring.Of(customer)
	if err != nil {
		return r, err
	}
	var at int64
	var sealed []byte
	err = i.db.Read().QueryRowContext(ctx, `SELECT at_ms, sealed_report FROM imports WHERE customer_id = ?1 AND id = ?2`, customer, id).Scan(&at, &sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return r, ErrNone
	} else if err != nil {
		return r, fmt.Errorf("read import: %w", err)
	}
	plain, err := seal.OpenColumn(k, "import:"+id, sealed)
	if err != nil {
		return r, err
	}
	var stored kept
	stored.Report.Time = history.Time(time.UnixMilli(at).UTC())
	if err := json.Unmarshal(plain, &stored); err != nil {
		return r, fmt.Errorf("import %s: %w", id, err)
	}
	r, r.Done = stored.Report, stored.Done
	r.InForce, err = i.premises.AwaitInForce(ctx, customer, r.Revision, 0)
	return r, err
}

// CSV is the report as a file that a spreadsheet opens: a line per row, or per
// fault when there are any.
func (r Report) CSV() []byte {
	var b bytes.Buffer
	b.WriteString(bom)
	w := csv.NewWriter(&b)
	w.Comma, w.UseCRLF = ';', true
	row := func(fields ...string) { _ = w.Write(fields) } // into memory
	if len(r.Faults) > 0 {
		row("line", "column", "position", "code", "expected", "value")
		for _, f := range r.Faults {
			value := ""
			if f.Value != nil {
				value = *f.Value
			}
			row(strconv.Itoa(f.Line), harmless(f.Column), strconv.Itoa(f.Position), f.Code, harmless(f.Expected), harmless(value))
		}
	} else {
		row("line", "account", "name", "result", "id")
		for _, d := range r.Done {
			row(strconv.Itoa(d.Line), harmless(d.Account), harmless(d.Name), d.Result, d.ID)
		}
	}
	w.Flush()
	return b.Bytes()
}

// harmless keeps a spreadsheet from taking a text for a formula.
func harmless(s string) string {
	// Some take the wide forms as well, and what begins behind a tab or line end.
	if s != "" && strings.ContainsAny(s[:1], "=+-@\t\r\n") || strings.ContainsRune("＝＋－＠", []rune(s + " ")[0]) {
		return "'" + s
	}
	return s
}

// Template is an empty file with the columns' names and one panel, as Italian
// spreadsheets open it.
func Template() []byte {
	var b bytes.Buffer
	b.WriteString(bom)
	w := csv.NewWriter(&b)
	w.Comma, w.UseCRLF = ';', true
	_ = w.Write(columnNames())
	_ = w.Write([]string{"Magazzino via Roma 1", "BEEF01", "hex:00112233445566778899AABBCCDDEEFF", "", "", "main", "", "90", "30", "Europe/Rome", "1=Portone|2=Ufficio"})
	w.Flush()
	return b.Bytes()
}
