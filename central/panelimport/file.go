package panelimport

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"vedetta/central/history"
	"vedetta/central/premises"
	"vedetta/wire/event"
)

const bom = "\ufeff"

// Bounds of what is held of a file: cells take many times their bytes.
const (
	maxRow     = 1 << 20 // bytes of one row: a thousand zones with long names
	maxColumns = 100
)

// errRow says that a row is longer than maxRow.
var errRow = errors.New("row too long")

// rowReader gives so much of a text until the next row begins.
type rowReader struct {
	text *strings.Reader
	left int
}

func (r *rowReader) Read(b []byte) (int, error) {
	if r.left == 0 {
		return 0, errRow
	}
	n, err := r.text.Read(b[:min(len(b), r.left)])
	r.left -= n
	return n, err
}

// column is one column that is known, by every name that it may have.
type column struct {
	name    string // as in a panel's body
	aliases []string
}

// columns in the order of the template.
func columns() []column {
	return []column{
		{"name", []string{"nome", "denominazione", "descrizione"}},
		{"account", []string{"codice", "codice_utente", "account_number", "numero_utente"}},
		{"key", []string{"chiave", "chiave_aes", "aes_key"}},
		{"prefix", []string{"prefisso", "l"}},
		{"receiver", []string{"ricevitore", "r"}},
		{"listener", nil},
		{"profile", []string{"profilo"}},
		{"poll_seconds", []string{"intervallo", "intervallo_secondi"}},
		{"grace_seconds", []string{"tolleranza", "tolleranza_secondi"}},
		{"time_zone", []string{"fuso_orario", "fuso"}},
		{"zones", []string{"zone"}},
	}
}

func columnNames() (names []string) {
	for _, c := range columns() {
		names = append(names, c.name)
	}
	return names
}

// known is the column that a heading names; empty: none.
func known(heading string) string {
	h := strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(clean(heading)))
	for _, c := range columns() {
		if h == c.name || slices.Contains(c.aliases, h) {
			return c.name
		}
	}
	return ""
}

// file is what was read.
type file struct {
	encoding  string
	separator rune
	headings  []string
	at        map[string]int // column -> place
	count     int            // rows that aren't empty
	last      int            // line of the reader that was read last
	rows      []premises.ImportRow
	values    map[int][]string // by line, of rows
	faults    []Fault
}

// read reads a whole file; what is wrong stands in faults.
func read(b []byte) *file {
	f := &file{at: map[string]int{}, values: map[int][]string{}}
	text, encoding := decode(b)
	f.encoding = encoding
	first, rest, _ := strings.Cut(text, "\n")
	skipped := 0
	if s, ok := strings.CutPrefix(strings.TrimSpace(first), "sep="); ok { // a line that Excel reads and hides
		text, skipped = rest, 1
		first, _, _ = strings.Cut(text, "\n")
		if utf8.RuneCountInString(s) == 1 {
			f.separator, _ = utf8.DecodeRuneInString(s)
		}
	}
	if f.separator == 0 {
		f.separator = separator(first)
	}
	source := &rowReader{text: strings.NewReader(text), left: maxRow}
	r := csv.NewReader(source)
	r.Comma, r.FieldsPerRecord, r.TrimLeadingSpace = f.separator, -1, false
	if !f.header(r, skipped) {
		return f
	}
	for len(f.faults) < premises.MaxImportFaults {
		source.left = maxRow
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, errRow) {
			f.count++
			f.fault(f.last+skipped+1, "", 0, "row_long", nil, maxRow)
			break
		}
		var parse *csv.ParseError
		if errors.As(err, &parse) {
			f.count++
			f.last = parse.Line
			f.fault(parse.StartLine+skipped, "", 0, "row_quote", nil)
			continue
		} else if err != nil {
			break // a reader of memory has no others
		}
		line, _ := r.FieldPos(0)
		f.last, _ = r.FieldPos(len(record) - 1)
		f.row(line+skipped, record)
		if f.count > premises.MaxPanels {
			f.rows = nil // not judged: none would be entered
			f.fault(0, "", 0, "rows_many", nil, premises.MaxPanels)
			break
		}
	}
	if f.count == 0 {
		f.fault(0, "", 0, "file_empty", nil)
	}
	return f
}

// decode finds out how the file is written: a mark at its beginning tells, else
// what is no UTF-8 is what Windows has written in western Europe for decades.
func decode(b []byte) (text, encoding string) {
	switch {
	case len(b) >= 3 && string(b[:3]) == bom:
		text, encoding = string(b[3:]), "utf-8-bom"
	case len(b) >= 2 && b[0] == 0xFF && b[1] == 0xFE:
		return lines(wide(b[2:], 1)), "utf-16le"
	case len(b) >= 2 && b[0] == 0xFE && b[1] == 0xFF:
		return lines(wide(b[2:], 0)), "utf-16be"
	case utf8.Valid(b):
		text, encoding = string(b), "utf-8"
	default:
		text, encoding = event.Windows1252.Text(b), "windows-1252"
	}
	return lines(strings.ToValidUTF8(text, "\uFFFD")), encoding
}

// lines turns the line ends of old Macs into ours.
func lines(s string) string {
	if strings.Contains(s, "\n") {
		return s
	}
	return strings.ReplaceAll(s, "\r", "\n")
}

func wide(b []byte, high int) string {
	units := make([]uint16, len(b)/2)
	for i := range units {
		units[i] = uint16(b[2*i+high])<<8 | uint16(b[2*i+1-high])
	}
	return string(utf16.Decode(units))
}

// separator is the one with which the first line has most columns that are known.
func separator(first string) rune {
	best, most := ';', -1
	first = first[:min(len(first), maxRow)]
	for _, s := range []rune{';', ',', '\t'} {
		n := 0
		for h := range strings.SplitSeq(first, string(s)) {
			if known(strings.Trim(h, `" `+"\r")) != "" {
				n++
			}
		}
		if n > most {
			best, most = s, n
		}
	}
	return best
}

// clean takes off what spreadsheets put around a value: spaces, no-break ones
// too, and ="0012" that keeps zeros.
func clean(s string) string {
	s = strings.Trim(s, " \t\r\n\u00a0\ufeff")
	if v, ok := strings.CutPrefix(s, `="`); ok && strings.HasSuffix(v, `"`) {
		return strings.TrimSuffix(v, `"`)
	}
	return s
}

// header reads the first line; false when nothing can be read after it.
func (f *file) header(r *csv.Reader, skipped int) bool {
	record, err := r.Read()
	if errors.Is(err, errRow) {
		f.fault(1+skipped, "", 0, "row_long", nil, maxRow)
		return false
	}
	if err != nil {
		code := "row_quote"
		if errors.Is(err, io.EOF) {
			code = "file_empty"
		}
		f.fault(0, "", 0, code, nil)
		return false
	}
	line, _ := r.FieldPos(0)
	f.last = line
	if len(record) > maxColumns {
		f.fault(line+skipped, "", 0, "columns_many", nil, maxColumns)
		return false
	}
	for i, h := range record {
		f.headings = append(f.headings, clean(h))
		name := known(h)
		switch _, had := f.at[name]; {
		case name == "" && (clean(h) == "" || strings.HasPrefix(clean(h), "#")):
		case name == "":
			f.fault(line+skipped, clean(h), i+1, "column_unknown", nil, strings.Join(columnNames(), ", "))
		case had:
			f.fault(line+skipped, clean(h), i+1, "column_twice", nil)
		default:
			f.at[name] = i
		}
	}
	_, name := f.at["name"]
	_, account := f.at["account"]
	if !name || !account {
		f.fault(line+skipped, "", 0, "column_missing", nil)
		return false
	}
	return true
}

func (f *file) row(line int, record []string) {
	if !slices.ContainsFunc(record, func(v string) bool { return clean(v) != "" }) {
		return
	}
	f.count++
	// Spreadsheets add empty cells at the end. A row that ends too early was cut
	// off: what is missing must not become a default.
	had := len(record)
	for len(record) > len(f.headings) && clean(record[len(record)-1]) == "" {
		record = record[:len(record)-1]
	}
	least := len(f.headings)
	for least > 0 && f.headings[least-1] == "" {
		least--
	}
	if len(record) > len(f.headings) || len(record) < least {
		f.fault(line, "", 0, "row_length", nil, len(f.headings), had)
		return
	}
	f.values[line] = record
	r := premises.ImportRow{Line: line, Body: premises.NewPanel(), Said: map[string]bool{}}
	good := true
	for name, at := range f.at {
		if at >= len(record) {
			continue
		}
		v := clean(record[at])
		if name == "key" && strings.HasPrefix(v, "text:") {
			v = strings.TrimRight(record[at], "\r\n") // spaces are part of it
		}
		if v == "" {
			continue
		}
		r.Said[name] = true
		if !f.set(&r.Body, name, v, line) {
			good = false
		}
	}
	if good {
		f.rows = append(f.rows, r)
	}
}

// set writes one value into the panel; what can't be understood is noted.
func (f *file) set(b *premises.PanelBody, name, v string, line int) bool {
	seconds := func(to *int) bool {
		n, err := strconv.Atoi(v)
		if err != nil {
			f.fault(line, name, 0, "number", &v)
			return false
		}
		*to = n
		return true
	}
	switch name {
	case "name":
		b.Name = v
	case "account":
		b.Account = v
	case "key":
		b.Key = v
	case "prefix":
		b.Prefix = &v
	case "receiver":
		b.Receiver = &v
	case "listener":
		b.Listener = v
	case "profile":
		profile := strings.ToUpper(v)
		b.Supervision = &premises.SupervisionBody{Profile: &profile}
	case "poll_seconds":
		return seconds(&b.PollSeconds)
	case "grace_seconds":
		return seconds(&b.GraceSeconds)
	case "time_zone":
		b.TimeZone = v
	case "zones":
		for z := range strings.SplitSeq(v, "|") {
			if clean(z) == "" {
				continue
			}
			if len(b.Zones) > premises.MaxZones {
				break // premises refuses them
			}
			number, text, ok := strings.Cut(z, "=")
			if !ok {
				f.fault(line, name, 0, "zones_form", &v)
				return false
			}
			b.Zones = append(b.Zones, premises.ZoneBody{Number: clean(number), Name: clean(text)})
		}
	}
	return true
}

// fault notes one; a column by its name in a panel's body, or as the file has it.
func (f *file) fault(line int, name string, position int, code string, value *string, args ...any) {
	out := Fault{Line: line, Column: name, Position: position, Code: code, Expected: premises.Expected(code, args...)}
	if at, ok := f.at[name]; ok {
		out.Column, out.Position = f.headings[at], at+1
	}
	if value != nil && name != "key" {
		short := clip(*value)
		out.Value = &short
	}
	f.faults = append(f.faults, out)
}

func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

func (f *file) report(now time.Time, dry, update bool) Report {
	return Report{Time: history.Time(now.UTC()), DryRun: dry, Update: update, Encoding: f.encoding, Separator: string(f.separator), Rows: f.count, Faults: []Fault{}}
}

// note fills in what premises said of the rows.
func (f *file) note(r *Report, done []premises.ImportDone, faults []premises.ImportFault) {
	for _, x := range faults {
		field, _, _ := strings.Cut(x.Field, ".") // zones[3].name, supervision.alternative
		field, _, _ = strings.Cut(field, "[")
		if field == "supervision" {
			field = "profile"
		}
		out := Fault{Line: x.Line, Column: field, Code: x.Code, Expected: x.Expected}
		if x.Line == 0 {
			out.Column = ""
		}
		if at, ok := f.at[field]; ok {
			out.Column, out.Position = f.headings[at], at+1
			if row := f.values[x.Line]; field != "key" && at < len(row) {
				v := clip(clean(row[at]))
				out.Value = &v
			}
		}
		f.faults = append(f.faults, out)
	}
	if len(f.faults) >= premises.MaxImportFaults {
		f.faults = f.faults[:premises.MaxImportFaults]
		f.fault(0, "", 0, "faults_many", nil, premises.MaxImportFaults)
	}
	slices.SortStableFunc(f.faults, func(a, b Fault) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Position - b.Position
	})
	bad := map[int]bool{}
	for _, x := range f.faults {
		if x.Line > 0 {
			bad[x.Line] = true
		}
	}
	r.Bad, r.Faults, r.Done = len(bad), append(r.Faults, f.faults...), done
	for _, d := range done {
		switch {
		case bad[d.Line]:
		case d.Result == premises.ImportNew:
			r.New++
		case d.Result == premises.ImportUpdated:
			r.Updated++
		default:
			r.Unchanged++
		}
	}
}

// String is for tests and logs: it tells no value.
func (f Fault) String() string {
	return fmt.Sprintf("%d %s(%d) %s", f.Line, f.Column, f.Position, f.Code)
}
