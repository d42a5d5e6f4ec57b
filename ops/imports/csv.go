package imports

import (
	"bytes"
	"encoding/csv"
	"strconv"
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
		_ = w.Write([]string{strconv.Itoa(f.Line), f.Column, strconv.Itoa(f.Position), f.Code, f.Expected, value})
	}
	w.Flush()
	return b.Bytes()
}
