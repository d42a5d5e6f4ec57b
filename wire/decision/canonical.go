package decision

import (
	"encoding"
	"encoding/base64"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// appendCanonical writes v in the form that doc.go draws. encoding/json is not
// used for it: its escapes have changed between releases of Go, and two nodes
// of neighbouring versions must write the same bytes (rule 16).
func appendCanonical(b []byte, v any) []byte { return appendValue(b, reflect.ValueOf(v)) }

func appendValue(b []byte, v reflect.Value) []byte {
	if m, ok := v.Interface().(encoding.TextMarshaler); ok && v.Kind() != reflect.Pointer {
		text, err := m.MarshalText()
		if err != nil {
			panic(fmt.Sprintf("decision: text of %s: %v", v.Type(), err)) // ours never fail
		}
		return appendString(b, string(text))
	}
	switch v.Kind() {
	case reflect.String:
		return appendString(b, v.String())
	case reflect.Bool:
		return strconv.AppendBool(b, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.AppendInt(b, v.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.AppendUint(b, v.Uint(), 10)
	case reflect.Pointer:
		return appendValue(b, v.Elem())
	case reflect.Slice:
		return appendSlice(b, v)
	case reflect.Struct:
		b, _ = appendFields(append(b, '{'), v, false)
		return append(b, '}')
	}
	panic(fmt.Sprintf("decision: no canonical form of %s", v.Type())) // a test writes every field
}

func appendSlice(b []byte, v reflect.Value) []byte {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, v.Bytes())
		return append(b, '"')
	}
	b = append(b, '[')
	for i := range v.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendValue(b, v.Index(i))
	}
	return append(b, ']')
}

// appendFields writes the fields of a struct, those of an embedded one in its
// place. some tells whether a field was already written.
func appendFields(b []byte, v reflect.Value, some bool) ([]byte, bool) {
	t := v.Type()
	for i := range t.NumField() {
		f, field := t.Field(i), v.Field(i)
		if f.Anonymous {
			b, some = appendFields(b, field, some)
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "":
			panic(fmt.Sprintf("decision: field %s of %s has no name", f.Name, t))
		case options == "omitempty" && isEmpty(field), options == "omitzero" && field.IsZero():
			continue
		}
		if some {
			b = append(b, ',')
		}
		some = true
		b = append(appendString(b, name), ':')
		b = appendValue(b, field)
	}
	return b, some
}

func isEmpty(v reflect.Value) bool {
	if v.Kind() == reflect.Slice {
		return v.Len() == 0
	}
	return v.IsZero()
}

func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range s { // a byte that is no UTF-8 comes as U+FFFD
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < 0x20:
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
