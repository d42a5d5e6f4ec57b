package portal

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"vedetta/central/panelimport"
	"vedetta/central/premises"
)

// importPage takes a file of panels.
const importPage = "/panels/import"

// importWithin is how long a slow line may take to bring a file.
const importWithin = 5 * time.Minute

// shownFaults bounds a page; the file of faults has all.
const shownFaults = 500

type importView struct {
	Asked   bool // a file was sent
	Report  panelimport.Report
	File    string // what was understood of it
	Result  string
	Good    bool
	Faults  []importFault
	More    string // how many aren't shown
	Missing bool   // no file was chosen
	Update  bool
	Columns []fact
}

type importFault struct {
	Line, Column, Value, Text string
}

func (p *Portal) askImport(v visit) error { return p.showImport(v, http.StatusOK, importView{}) }

func (p *Portal) showImport(v visit, status int, c importView) error {
	for _, name := range []string{"name", "account", "key", "prefix", "receiver", "profile", "poll_seconds", "grace_seconds", "time_zone", "zones"} {
		c.Columns = append(c.Columns, fact{name, v.lang.T("import.column." + name)})
	}
	pg := v.page("panels", "import.title")
	pg.Content = c
	p.render(v.w, v.r, status, "import.html", pg)
	return nil
}

// doImport tries a file or imports it, as the button says; one with faults is
// never imported.
func (p *Portal) doImport(v visit) error {
	control := http.NewResponseController(v.w)
	late := time.Now().Add(importWithin)
	if err := errors.Join(control.SetReadDeadline(late), control.SetWriteDeadline(late)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	sent, err := readUpload(v.r)
	if err != nil {
		return err
	}
	if sent.file == nil {
		return p.showImport(v, http.StatusUnprocessableEntity, importView{Missing: true})
	}
	ctx, update := v.r.Context(), sent.update
	do := p.imports.Try
	if sent.doIt {
		do = p.imports.Import
	}
	r, err := do(ctx, time.Now(), v.user.Customer, sent.file, update)
	if err != nil {
		return err
	}
	if r.ID != nil {
		p.history.Hub.Changed(v.user.Customer)
		p.await(ctx, v, r.Revision)
		return v.to("/imports/"+*r.ID, "")
	}
	c := p.importView(v.lang, r)
	c.Asked, c.Update = true, update
	status := http.StatusOK
	if !c.Good {
		status = http.StatusUnprocessableEntity
	}
	return p.showImport(v, status, c)
}

// sentFile is the form of an import.
type sentFile struct {
	file         []byte // nil: none was chosen
	doIt, update bool
}

// readUpload reads the form in memory. ParseMultipartForm would write the file,
// with the panels' keys, into a temporary one, which nobody deletes: the server
// does that for the request that it has made, and ours is a copy with a bound body.
func readUpload(r *http.Request) (s sentFile, err error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return s, nil // another form: no file
	}
	for {
		part, err := parts.NextPart()
		var b []byte
		if err == nil {
			b, err = io.ReadAll(part)
		}
		var large *http.MaxBytesError
		switch {
		case err == io.EOF: // itself: wrapped it is a form that was cut off
			return s, nil
		case errors.As(err, &large):
			return s, err
		case err != nil: // broken off: nothing is done of it
			return sentFile{}, nil
		}
		switch part.FormName() {
		case "file":
			if s.file == nil && part.FileName() != "" {
				s.file = b
			}
		case "update":
			s.update = len(b) > 0
		case "action":
			s.doIt = string(b) == "import"
		}
	}
}

func (p *Portal) importView(l Language, r panelimport.Report) importView {
	c := importView{Report: r, Good: len(r.Faults) == 0, File: l.T("import.read", l.Number(r.Rows), r.Encoding, l.Or("import.separator."+separatorWord(r.Separator), r.Separator))}
	switch {
	case !c.Good:
		c.Result = l.N("import.bad", r.Bad)
	case r.New+r.Updated == 0:
		c.Result = l.T("import.nothing")
	case r.DryRun:
		c.Result = l.T("import.would", l.Number(r.New), l.Number(r.Updated), l.Number(r.Unchanged))
	default:
		c.Result = l.T("import.done", l.Number(r.New), l.Number(r.Updated), l.Number(r.Unchanged))
	}
	for i, f := range r.Faults {
		if i == shownFaults {
			c.More = l.T("import.more", l.Number(len(r.Faults)-i))
			break
		}
		row := importFault{Column: f.Column, Text: faultText(l, premises.Fault{Field: strings.ToLower(f.Column), Code: f.Code, Expected: f.Expected})}
		if f.Line > 0 {
			row.Line = l.Number(f.Line)
		}
		if f.Value != nil {
			row.Value = *f.Value
		}
		c.Faults = append(c.Faults, row)
	}
	return c
}

func separatorWord(s string) string {
	return map[string]string{";": "semicolon", ",": "comma", "\t": "tab"}[s]
}

func (p *Portal) importDone(v visit) error {
	r, err := p.imports.Report(v.r.Context(), v.user.Customer, v.r.PathValue("id"))
	if errors.Is(err, panelimport.ErrNone) {
		return errNotFound
	} else if err != nil {
		return err
	}
	pg := v.page("panels", "import.done_title")
	pg.Content = p.importView(v.lang, r)
	p.render(v.w, v.r, http.StatusOK, "importdone.html", pg)
	return nil
}

func (p *Portal) importReport(v visit) error {
	r, err := p.imports.Report(v.r.Context(), v.user.Customer, v.r.PathValue("id"))
	if errors.Is(err, panelimport.ErrNone) {
		return errNotFound
	} else if err != nil {
		return err
	}
	return attach(v, "import.csv", r.CSV())
}

func (p *Portal) importTemplate(v visit) error {
	return attach(v, "panels.csv", panelimport.Template())
}

func attach(v visit, name string, b []byte) error {
	v.w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	v.w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	v.w.Write(b) //nolint:errcheck // the client is gone
	return nil
}
