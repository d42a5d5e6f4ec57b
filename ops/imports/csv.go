package imports

import (
	"bytes"
	"encoding/csv"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// csv is the faults as a file that a spreadsheet opens.
func (r report) csv() []byte {
	var b bytes.Buffer
	b.WriteString("\ufeff")
	w := csv.NewWriter(&b)
	w.Comma, w.UseCRLF = ';', true
	_ = w.Write([]string{"line", "column", "position", "code", "expected", "value"}) // into memory
	for _, f := range r.Faults {
		value := ""
		if f.Value != nil {
			value = "'" + *f.Value // a text, never a formula
		}
		column := f.Column // as the file names it: mostly a plain word
		if c, _ := utf8.DecodeRuneInString(column); column != "" && !unicode.IsLetter(c) {
			column = "'" + column
		}
		_ = w.Write([]string{strconv.Itoa(f.Line), column, strconv.Itoa(f.Position), f.Code, f.Expected, value})
	}
	w.Flush()
	return b.Bytes()
}
