package event

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:embed codes/sia.txt
var siaText string

//go:embed codes/cid.txt
var cidText string

//go:embed codes/own.txt
var ownText string

// Row is what a code means.
type Row struct {
	Code      string
	Meaning   string // English
	MeaningIT string
	Category  Category
	Qualifier Qualifier // SIA only: Contact ID has it in the message
	Names     string    // what the address names: zone, user, area, door, none ...

	Restored   string // words for qualifier restore where they differ, else empty
	RestoredIT string
}

// tables are read-only once they are loaded.
var tables = sync.OnceValue(func() map[Standard]map[string]Row {
	sia, err := loadTable(siaText, readSIARow)
	if err != nil {
		panic(err) // the files are part of the program, and a test reads them
	}
	cid, err := loadTable(cidText, readCIDRow)
	if err != nil {
		panic(err)
	}
	own, err := loadTable(ownText, readOwnRow)
	if err != nil {
		panic(err)
	}
	return map[Standard]map[string]Row{SIA: sia, CID: cid, Vedetta: own}
})

// Lookup finds the row of a code: two capital letters for SIA, three digits for
// CID, a word for our own.
func Lookup(s Standard, code string) (Row, bool) {
	r, ok := tables()[s][code]
	return r, ok
}

// Rows lists a table, ordered by code.
func Rows(s Standard) []Row {
	var rows []Row
	for _, r := range tables()[s] {
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b Row) int { return strings.Compare(a.Code, b.Code) })
	return rows
}

func loadTable(file string, read func([]string) (Row, error)) (map[string]Row, error) {
	rows := make(map[string]Row)
	for n, line := range strings.Split(file, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		r, err := read(strings.Split(line, "|"))
		if err != nil {
			return nil, fmt.Errorf("code table, line %d: %w", n+1, err)
		}
		if !slices.Contains(Categories(), r.Category) {
			return nil, fmt.Errorf("code table, line %d: category %q is none of the list", n+1, r.Category)
		}
		if r.Meaning == "" || r.MeaningIT == "" || r.Names == "" {
			return nil, fmt.Errorf("code table, line %d: want a meaning in both languages and an address", n+1)
		}
		if _, twice := rows[r.Code]; twice {
			return nil, fmt.Errorf("code table, line %d: code %s twice", n+1, r.Code)
		}
		rows[r.Code] = r
	}
	return rows, nil
}

func readSIARow(f []string) (Row, error) {
	if len(f) != 6 || len(f[0]) != 2 {
		return Row{}, fmt.Errorf("want 6 fields and a code of 2 letters, got %q", f)
	}
	return readOwnRow(f)
}

func readOwnRow(f []string) (Row, error) {
	if len(f) != 6 && len(f) != 8 || f[0] == "" {
		return Row{}, fmt.Errorf("want 6 or 8 fields and a code, got %q", f)
	}
	r := Row{Code: f[0], Meaning: f[1], MeaningIT: f[2], Category: Category(f[3]), Qualifier: Qualifier(f[4]), Names: f[5]}
	if len(f) == 8 {
		r.Restored, r.RestoredIT = f[6], f[7]
	}
	switch r.Qualifier {
	case New, Restore, Ongoing:
		return r, nil
	}
	return Row{}, fmt.Errorf("qualifier %q, want new, restore or ongoing", f[4])
}

func readCIDRow(f []string) (Row, error) {
	if len(f) != 5 && len(f) != 7 || len(f[0]) != 3 {
		return Row{}, fmt.Errorf("want 5 or 7 fields and a code of 3 digits, got %q", f)
	}
	r := Row{Code: f[0], Meaning: f[1], MeaningIT: f[2], Category: Category(f[3]), Names: f[4]}
	if len(f) == 7 {
		r.Restored, r.RestoredIT = f[5], f[6]
	}
	return r, nil
}
