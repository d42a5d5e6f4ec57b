package portal

import (
	"errors"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"vedetta/central/premises"
)

// form is one form as it is shown: what was typed, what is wrong with it, and
// what somebody else has changed meanwhile. Inputs are called as the fields of
// the API's bodies, so that a fault finds its place by its field.
type form struct {
	Lang     Language
	Action   string // where it is sent
	Tag      string // of the state it was filled from
	Conflict bool   // that state is not the newest any more
	Problems []problem
	values   url.Values // typed, or stored when nothing was typed yet
	stored   url.Values // of the newest state, after a conflict
	faults   map[string][]string
	order    []string // of the faults' fields, as found
}

// problem is one line of the summary above a form.
type problem struct{ ID, Label, Text string }

// T is a text of the form's language.
func (f *form) T(key string, args ...any) string { return f.Lang.T(key, args...) }

// N is a text of the form's language that depends on a number.
func (f *form) N(key string, n int, args ...any) string { return f.Lang.N(key, n, args...) }

// newForm shows values; err is what premises said to them, nil at first.
// handled is false for an error that is not the person's to mend.
func newForm(l Language, action, tag string, values url.Values, err error) (f *form, handled bool) {
	f = &form{Lang: l, Action: action, Tag: tag, values: values, faults: map[string][]string{}}
	var faults premises.Faults
	var gone missing
	switch {
	case err == nil:
		return f, true
	case errors.Is(err, premises.ErrTag):
		f.Conflict = true
		return f, true
	case errors.As(err, &gone):
		for _, name := range gone {
			f.faults[name], f.order = []string{f.T("form.secret_missing")}, append(f.order, name)
		}
		return f, true
	case errors.As(err, &faults):
		for _, v := range faults {
			f.fault(v)
		}
		return f, true
	}
	return f, false
}

var index = regexp.MustCompile(`\[\d+\]$`)

// fault puts a fault to its input: panels[3] is told at panels.
func (f *form) fault(v premises.Fault) {
	field := index.ReplaceAllString(v.Field, "")
	text := faultText(f.Lang, v)
	switch field {
	case "codes", "zones", "partitions": // typed into one line, which has several
		if at := index.FindString(v.Field); at != "" {
			n, _ := strconv.Atoi(strings.Trim(at, "[]"))
			text = f.T("form.entry", n+1, text)
		}
	}
	if _, had := f.faults[field]; !had {
		f.order = append(f.order, field)
	}
	for _, t := range f.faults[field] {
		if t == text {
			return
		}
	}
	f.faults[field] = append(f.faults[field], text)
}

// endedAt is how premises tells a subscription that has ended.
var endedAt = regexp.MustCompile(`: (\S+) said at ([0-9-]+ [0-9:]+) UTC`)

var numbers = regexp.MustCompile(`\d+`)

// faultText says a fault or a warning in the person's language. The numbers in
// it are those of what was expected; times that people enter in minutes are
// told in minutes.
func faultText(l Language, v premises.Fault) string {
	key := "fault." + v.Code
	if m := endedAt.FindStringSubmatch(v.Expected); m != nil && v.Code == "push_ended" {
		if at, err := time.Parse("2006-01-02 15:04", m[2]); err == nil {
			return l.T(key, pushService("https://"+m[1]), l.Date(at)+", "+at.Format("15:04 MST"))
		}
	}
	if _, columns, ok := strings.Cut(v.Expected, "differs in: "); ok && v.Code == "import_differs" {
		return l.T(key, columns)
	}
	var args []any
	for _, n := range numbers.FindAllString(v.Expected, -1) {
		if strings.HasSuffix(v.Field, ".after_seconds") {
			if s, err := strconv.Atoi(n); err == nil {
				n = strconv.Itoa(s / 60)
			}
		}
		args = append(args, n)
	}
	if l.Or(key+".one", "") != "" && len(args) > 0 { // depends on its first number
		form := ".other"
		if args[0] == "1" {
			form = ".one"
		}
		return l.T(key+form, args...)
	}
	if text := l.Or(key, ""); text != "" {
		return l.T(key, args...)
	}
	return v.Expected
}

// idOf is the id of an input by its name.
func idOf(name string) string {
	return "f-" + strings.NewReplacer("[", "-", "]", "", ".", "-").Replace(name)
}

// input is one line to type in, as a template shows it.
type input struct {
	ID, Name, Type      string
	Label, Hint         string // keys when given, words when shown
	Row                 int    // told with the label when it is one of several, from 1
	Value               string
	Autocomplete, Mode  string
	Required, Short     bool
	Faults              []string
	Now                 string // what is stored now, after a conflict
	Described           string // ids for aria-describedby
	Pick                []tick // of a select
	ReadOnly, SpellFree bool
	Again               *flag // of a secret that was typed and not sent back: to go on without it
}

// input fills in what is known of an input by its name.
func (f *form) input(in input) input {
	in.ID, in.Value = idOf(in.Name), f.values.Get(in.Name)
	if in.Type == "" {
		in.Type = "text"
	}
	in.Label = f.T(in.Label)
	if in.Row > 0 {
		in.Label = f.T("form.row", in.Label, in.Row)
	}
	if in.Hint != "" {
		in.Hint = f.T(in.Hint)
	}
	in.Faults = f.take(in.Name, in.ID, in.Label)
	if f.stored != nil && in.Type != "password" && f.stored.Get(in.Name) != in.Value {
		in.Now = f.shown(f.stored.Get(in.Name))
	}
	in.Described = described(in.ID, in.Hint, in.Now, in.Faults)
	for i := range in.Pick {
		in.Pick[i].Checked = in.Pick[i].Value == in.Value
	}
	return in
}

// take removes a field's faults and puts them into the summary.
func (f *form) take(name, id, label string) []string {
	list := f.faults[name]
	delete(f.faults, name)
	for _, text := range list {
		f.Problems = append(f.Problems, problem{id, label, text})
	}
	return list
}

func (f *form) shown(value string) string {
	if value == "" {
		value = f.T("form.nothing")
	}
	return f.T("form.now", value)
}

func described(id, hint, now string, faults []string) string {
	var ids []string
	if hint != "" {
		ids = append(ids, id+"-hint")
	}
	if now != "" {
		ids = append(ids, id+"-now")
	}
	if len(faults) > 0 {
		ids = append(ids, id+"-fault")
	}
	return strings.Join(ids, " ")
}

// ticks is a group of boxes to tick.
type ticks struct {
	ID, Name    string
	Label, Hint string
	Options     []tick
	Few         bool // short names: more columns
	Faults      []string
	Now         string
	Described   string
}

// tick is one of them, or an option of a select.
type tick struct {
	ID, Value, Label, Detail string
	Group                    string // a heading before it
	Checked                  bool
}

// ticks fills in a group by its name; label and hint are keys.
func (f *form) ticks(name, label, hint string, few bool, options []tick) ticks {
	g := ticks{ID: idOf(name), Name: name, Label: f.T(label), Options: options, Few: few}
	if hint != "" {
		g.Hint = f.T(hint)
	}
	chosen, stored := map[string]bool{}, map[string]bool{}
	for _, v := range f.values[name] {
		chosen[v] = true
	}
	for _, v := range f.stored[name] {
		stored[v] = true
	}
	differs, names := false, []string{}
	for i := range g.Options {
		o := &g.Options[i]
		o.ID, o.Checked = g.ID+"-"+strconv.Itoa(i), chosen[o.Value]
		differs = differs || f.stored != nil && chosen[o.Value] != stored[o.Value]
		if stored[o.Value] {
			names = append(names, o.Label)
		}
	}
	if differs {
		g.Now = f.shown(f.Lang.List(names))
	}
	g.Faults = f.take(name, g.ID, g.Label)
	g.Described = described(g.ID, g.Hint, g.Now, g.Faults)
	return g
}

// end puts what no input stands for into the summary, so that nothing is
// refused in silence.
func (f *form) end() {
	for _, field := range f.order {
		f.take(field, "", field)
	}
}

// lines are the non-empty values of a field in a form, without spaces around.
func lines(values []string) []string {
	out := []string{}
	for _, v := range values {
		if v = strings.TrimSpace(v); v != "" {
			out = append(out, v)
		}
	}
	return out
}

// number is a typed number; what is none becomes -1, which premises refuses
// with the bounds.
func number(s string) int {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil {
		return -1
	}
	return n
}

// optional is nil for an empty field.
func optional(s string) *string {
	if s = strings.TrimSpace(s); s == "" {
		return nil
	}
	return &s
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
