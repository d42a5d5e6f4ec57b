package premises

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"vedetta/central/store"
	"vedetta/wire/dc09"
	"vedetta/wire/roster"
)

// ImportRow is one panel of a file.
type ImportRow struct {
	Line int
	Body PanelBody
	Said map[string]bool // fields that the row says something of
}

// ImportFault is what is wrong with a row; Line is 0 when it is the whole file.
type ImportFault struct {
	Line int
	Fault
}

// MaxImportFaults bounds what is told of one file: when there are as many, the rows
// after them are not judged.
const MaxImportFaults = 10_000

// What becomes of a row.
const (
	ImportNew       = "new"
	ImportUpdated   = "updated"
	ImportUnchanged = "unchanged"
)

// ImportDone is what became of a row, or would.
type ImportDone struct {
	Line    int    `json:"line"`
	Account string `json:"account"`
	Name    string `json:"name"`
	ID      string `json:"id"` // of the panel; empty while it is not made
	Result  string `json:"result"`
}

// TryImport says what an import would do, or all that is wrong with its rows.
// Nothing is written.
func (p *Premises) TryImport(ctx context.Context, now time.Time, customer string, rows []ImportRow, update bool) (done []ImportDone, faults []ImportFault, err error) {
	c := &Change{ctx: ctx, cfg: p.cfg, ring: p.ring, customer: customer, now: now, changed: map[int]bool{}}
	if c.key, err = p.ring.Of(customer); err != nil {
		return nil, nil, err
	}
	if c.own, err = p.ring.Own(); err != nil {
		return nil, nil, err
	}
	err = p.db.Snapshot(ctx, func(q store.Querier) error {
		var plan []importing
		plan, faults, err = c.judgeImport(q, rows, update)
		for _, i := range plan {
			i.done.ID = i.had
			done = append(done, i.done)
		}
		return err
	})
	return done, faults, err
}

// Import enters panels from a file, all or, when one of them is at fault, none.
// A row whose panel is there already and says the same changes nothing; one that
// says otherwise is a fault, unless update is true: then what the row says
// replaces what the panel had.
func (c *Change) Import(rows []ImportRow, update bool) (done []ImportDone, faults []ImportFault, err error) {
	plan, faults, err := c.judgeImport(c.tx, rows, update)
	if err != nil || len(faults) > 0 {
		return nil, faults, err
	}
	for _, i := range plan {
		if i.done.Result != ImportUnchanged {
			if _, err := c.keepPanel(i.panel, i.number); err != nil {
				return nil, nil, fmt.Errorf("import line %d: %w", i.done.Line, err)
			}
		}
		i.done.ID = i.panel.ID
		done = append(done, i.done)
	}
	return done, nil, nil
}

// importing is a row with the panel that it becomes.
type importing struct {
	done   ImportDone
	had    string // id of the panel that is there already
	panel  storedPanel
	number []byte
}

func (c *Change) judgeImport(q store.Querier, rows []ImportRow, update bool) (plan []importing, faults []ImportFault, err error) {
	var count int
	if err := q.QueryRowContext(c.ctx, `SELECT count(*) FROM panels WHERE customer_id = ?1`, c.customer).Scan(&count); err != nil {
		return nil, nil, fmt.Errorf("count panels: %w", err)
	}
	inFile := map[string][]importing{}
	for from := 0; from < len(rows) && len(faults) < MaxImportFaults; from += maxNumbers {
		part := rows[from:min(from+maxNumbers, len(rows))]
		there, err := c.thereAlready(q, part)
		if err != nil {
			return nil, nil, err
		}
		for _, r := range part {
			number := NumberIndex(c.own, r.Body.Listener, r.Body.Account)
			i, f, err := c.judgeRow(r, there[string(number)], update)
			if err != nil {
				return nil, nil, err
			}
			i.number = number
			for _, other := range inFile[string(number)] {
				if collide(i.panel.Panel, other.panel.Panel) {
					f.Add("account", "twice_in_file", other.done.Line)
					break
				}
			}
			inFile[string(number)] = append(inFile[string(number)], i)
			for _, one := range f {
				faults = append(faults, ImportFault{r.Line, one})
			}
			if i.done.Result == ImportNew {
				count++
			}
			plan = append(plan, i)
		}
	}
	if count > MaxPanels {
		var f Faults
		f.Add("panels", "too_many", MaxPanels)
		faults = append(faults, ImportFault{0, f[0]})
	}
	return plan, faults, nil
}

// thereAlready are the panels of all customers with an account of these rows,
// by number index.
func (c *Change) thereAlready(q store.Querier, rows []ImportRow) (map[string][]owned, error) {
	numbers := make([][]byte, len(rows))
	for i, r := range rows {
		numbers[i] = NumberIndex(c.own, r.Body.Listener, r.Body.Account)
	}
	list, err := ofNumbers(c.ctx, q, c.ring, numbers)
	if err != nil {
		return nil, err
	}
	out := map[string][]owned{}
	for _, o := range list {
		n := string(NumberIndex(c.own, o.panel.Listener, o.panel.Account))
		out[n] = append(out[n], o)
	}
	return out, nil
}

func (c *Change) judgeRow(r ImportRow, there []owned, update bool) (importing, Faults, error) {
	i := importing{done: ImportDone{Line: r.Line, Account: strings.ToUpper(r.Body.Account), Name: r.Body.Name, Result: ImportNew}}
	place := roster.Panel{Listener: r.Body.Listener, Prefix: r.Body.Prefix, Receiver: r.Body.Receiver, Account: r.Body.Account}
	for _, o := range there {
		if o.Customer == c.customer && uniqueText(place) == uniqueText(o.panel) {
			return c.judgeAgain(i, r, o, update)
		}
	}
	r.Body.ID = NewID()
	var f Faults
	i.panel, f = c.stored(r.Body, storedPanel{})
	for _, o := range there {
		if collide(place, o.panel) || o.Customer != c.customer && overlap(place, o.panel) {
			f.Add("account", "account_taken")
			break
		}
	}
	return i, f, nil
}

// judgeAgain judges a row whose panel is there.
func (c *Change) judgeAgain(i importing, r ImportRow, o owned, update bool) (importing, Faults, error) {
	var had storedPanel
	if err := json.Unmarshal(o.plain, &had); err != nil {
		return i, nil, fmt.Errorf("panel %s: %w", o.Panel, err)
	}
	before, err := (reading{ctx: c.ctx, customer: c.customer, key: c.key, once: &memo{}}).panel(row{id: o.Panel, tag: tagOf(o.sealed), plain: o.plain})
	if err != nil {
		return i, nil, err
	}
	if before.KeySet {
		before.Key = KeyKept
	}
	after, differs := before, []string{}
	set := func(field string, changed bool, fn func()) {
		if r.Said[field] && changed {
			fn()
			differs = append(differs, field)
		}
	}
	set("name", r.Body.Name != before.Name, func() { after.Name = r.Body.Name })
	key, _, err := dc09.ParseKey(r.Body.Key)
	set("key", err != nil || string(key) != string(had.Key), func() { after.Key = r.Body.Key })
	set("profile", profileOf(r.Body) != profileOf(before), func() { after.Supervision = r.Body.Supervision })
	set("poll_seconds", r.Body.PollSeconds != before.PollSeconds, func() { after.PollSeconds = r.Body.PollSeconds })
	set("grace_seconds", r.Body.GraceSeconds != before.GraceSeconds, func() { after.GraceSeconds = r.Body.GraceSeconds })
	set("time_zone", r.Body.TimeZone != before.TimeZone, func() { after.TimeZone = r.Body.TimeZone })
	set("zones", !same(r.Body.Zones, before.Zones), func() { after.Zones = r.Body.Zones })
	i.had, i.done.Result, i.done.Name = o.Panel, ImportUnchanged, after.Name
	if len(differs) == 0 {
		i.panel = had
		i.panel.ID = o.Panel
		return i, nil, nil
	}
	after.ID, i.done.Result = o.Panel, ImportUpdated
	var f Faults
	i.panel, f = c.stored(after, had)
	if !update && len(f) == 0 {
		f.Add("account", "import_differs", strings.Join(differs, ", "))
	}
	return i, f, nil
}

func profileOf(b PanelBody) string {
	if b.Supervision == nil {
		return ""
	}
	return present(b.Supervision.Profile)
}
