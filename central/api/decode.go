package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"vedetta/central/premises"
)

// maxDepth of nested lists and objects in a body; ours need four.
const maxDepth = 16

// badBody says why a body is no JSON that can be read: 400.
type badBody struct{ detail string }

func (b badBody) Error() string { return "body: " + b.detail }

// decode reads one JSON object. It is stricter than encoding/json: a member
// that comes twice is refused, as two readers may take different ones, and so
// are bytes that aren't UTF-8 and what follows the object.
func decode(body []byte) (map[string]any, error) {
	if !utf8.Valid(body) {
		return nil, badBody{"want UTF-8"}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	v, err := value(d, 0)
	var syntax *json.SyntaxError
	var bad badBody
	switch {
	case errors.As(err, &bad):
		return nil, bad
	case errors.As(err, &syntax):
		return nil, badBody{fmt.Sprintf("want JSON; it breaks at byte %d", syntax.Offset)}
	case err != nil:
		return nil, badBody{"want one whole JSON object"}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, badBody{"want one JSON object and nothing behind it"}
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, badBody{"want a JSON object"}
	}
	return m, nil
}

func value(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := t.(json.Delim)
	if !ok {
		return t, nil
	}
	if depth == maxDepth {
		return nil, badBody{fmt.Sprintf("nested deeper than %d", maxDepth)}
	}
	if delim == '[' {
		list := []any{}
		for d.More() {
			v, err := value(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.Token()
		return list, err
	}
	m := map[string]any{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, _ := t.(string)
		if _, twice := m[name]; twice {
			return nil, badBody{fmt.Sprintf("member %.40q comes twice in one object", name)}
		}
		if m[name], err = value(d, depth+1); err != nil {
			return nil, err
		}
	}
	_, err = d.Token()
	return m, err
}

// merge applies a JSON merge patch (RFC 7396): null removes, objects are
// merged, everything else is replaced.
func merge(target, patch map[string]any) map[string]any {
	out := make(map[string]any, len(target)+len(patch))
	for k, v := range target {
		out[k] = v
	}
	for k, v := range patch {
		switch v := v.(type) {
		case nil:
			delete(out, k)
		case map[string]any:
			old, _ := out[k].(map[string]any)
			out[k] = merge(old, v)
		default:
			out[k] = v
		}
	}
	return out
}

// object reads members of a JSON object into fields. Absent and null leave a
// field as it is. It notes every fault, with the field's place in the body.
type object struct {
	at     string // place in the body, with a dot behind it
	m      map[string]any
	known  []string
	faults *premises.Faults
}

func (o *object) take(name string) (any, bool) {
	o.known = append(o.known, name)
	v := o.m[name]
	return v, v != nil
}

func (o *object) want(name, what string) { o.faults.Add(o.at+name, "type", what) }

func (o *object) text(name string, to *string) {
	v, ok := o.take(name)
	if !ok {
		return
	}
	if s, ok := v.(string); ok {
		*to = s
		return
	}
	o.want(name, "a string")
}

// optional sets a pointer; absent and null leave it as it is.
func (o *object) optional(name string, to **string) {
	v, ok := o.take(name)
	if !ok {
		return
	}
	if s, ok := v.(string); ok {
		*to = &s
		return
	}
	o.want(name, "a string or null")
}

func (o *object) number(name string, to *int) {
	v, ok := o.take(name)
	if !ok {
		return
	}
	if n, ok := integer(v); ok {
		*to = n
		return
	}
	o.want(name, "an integer")
}

func integer(v any) (int, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := strconv.ParseInt(n.String(), 10, 32)
	return int(i), err == nil
}

func (o *object) flag(name string, to *bool) {
	v, ok := o.take(name)
	if !ok {
		return
	}
	if b, ok := v.(bool); ok {
		*to = b
		return
	}
	o.want(name, "true or false")
}

// items reads a list, each entry by fn, which tells whether it has the type.
func (o *object) items(name, what string, fn func(i int, v any) bool) {
	v, ok := o.take(name)
	if !ok {
		return
	}
	list, ok := v.([]any)
	if !ok {
		o.want(name, "a list")
		return
	}
	for i, v := range list {
		if !fn(i, v) {
			o.want(fmt.Sprintf("%s[%d]", name, i), what)
		}
	}
}

func (o *object) texts(name string, to *[]string) {
	out := []string{}
	o.items(name, "a string", func(_ int, v any) bool {
		s, ok := v.(string)
		out = append(out, s)
		return ok
	})
	if o.m[name] != nil {
		*to = out
	}
}

func (o *object) numbers(name string, to *[]int) {
	out := []int{}
	o.items(name, "an integer", func(_ int, v any) bool {
		n, ok := integer(v)
		out = append(out, n)
		return ok
	})
	if o.m[name] != nil {
		*to = out
	}
}

// objects reads a list of objects.
func (o *object) objects(name string, fn func(*object)) {
	o.items(name, "an object", func(i int, v any) bool {
		m, ok := v.(map[string]any)
		if ok {
			in := &object{at: fmt.Sprintf("%s%s[%d].", o.at, name, i), m: m, faults: o.faults}
			fn(in)
			in.rest()
		}
		return ok
	})
}

// inner reads one object.
func (o *object) inner(name string, fn func(*object)) {
	v, ok := o.take(name)
	if !ok {
		return
	}
	m, ok := v.(map[string]any)
	if !ok {
		o.want(name, "an object or null")
		return
	}
	in := &object{at: o.at + name + ".", m: m, faults: o.faults}
	fn(in)
	in.rest()
}

// rest refuses what nobody has asked for.
func (o *object) rest() {
	var unknown []string
	for name := range o.m {
		if !slices.Contains(o.known, name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for i, name := range unknown {
		if i == 20 {
			break
		}
		o.faults.Add(o.at+clip(name), "unknown_field", strings.Join(o.known, ", "))
	}
}

// clip shortens a name that a stranger gave.
func clip(name string) string {
	if name == "" {
		return `""`
	}
	if r := []rune(name); len(r) > 40 {
		name = string(r[:40]) + "..."
	}
	return strings.ToValidUTF8(name, "?")
}
