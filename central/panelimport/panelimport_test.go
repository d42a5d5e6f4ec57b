package panelimport_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"vedetta/central/centraltest"
	"vedetta/central/panelimport"
)

var at = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func service(t testing.TB) (*centraltest.Service, *panelimport.Importer) {
	t.Helper()
	s := centraltest.NewService(t, at)
	return s, panelimport.New(s.DB, s.Ring, s.Premises)
}

func faults(r panelimport.Report) (list []string) {
	for _, f := range r.Faults {
		list = append(list, f.String())
	}
	return list
}

func wide(s string, big bool) string {
	b := []byte{0xFF, 0xFE}
	if big {
		b = []byte{0xFE, 0xFF}
	}
	for _, u := range utf16.Encode([]rune(s)) {
		if big {
			b = append(b, byte(u>>8), byte(u))
		} else {
			b = append(b, byte(u), byte(u>>8))
		}
	}
	return string(b)
}

// TestFilesAsSpreadsheetsWriteThem: the same two panels in every form.
func TestFilesAsSpreadsheetsWriteThem(t *testing.T) {
	s, i := service(t)
	for _, c := range []struct{ name, file, encoding, separator string }{
		{"ours", "name,account\nPerù,beef01\nCaffè,beef02\n", "utf-8", ","},
		{"Italian Excel, UTF-8", "\ufeffNome;Codice utente\r\nPerù;beef01\r\nCaffè;beef02\r\n", "utf-8-bom", ";"},
		{"Italian Excel, ANSI", "Nome;Account\r\nPer\xf9;beef01\r\nCaff\xe8;beef02", "windows-1252", ";"},
		{"Excel's Unicode text", wide("Nome\tAccount\r\nPerù\tbeef01\r\nCaffè\tbeef02\r\n", false), "utf-16le", "\t"},
		{"big endian", wide("Nome;Account\r\nPerù;beef01\r\nCaffè;beef02\r\n", true), "utf-16be", ";"},
		{"sep line", "sep=;\r\nname;account\r\nPerù;beef01\r\nCaffè;beef02\r\n", "utf-8", ";"},
		{"an old Mac", "name;account\rPerù;beef01\rCaffè;beef02\r", "utf-8", ";"},
		{"quotes and empty cells", "\"name\";\"account\";key;;#note\r\n\"Perù\";\"=\"\"beef01\"\"\";;;x\r\n;;;;\r\n Caffè ;beef02;;;;;\r\n", "utf-8", ";"},
	} {
		r, err := i.Try(t.Context(), at, centraltest.Customer, []byte(c.file), false)
		if err != nil || len(r.Faults) > 0 || r.Rows != 2 || r.New != 2 || r.Encoding != c.encoding || r.Separator != c.separator ||
			len(r.Done) != 2 || r.Done[0].Name != "Perù" || r.Done[0].Account != "BEEF01" || r.Done[1].Name != "Caffè" {
			t.Errorf("%s: %+v %v %v", c.name, r, faults(r), err)
		}
	}
	if n := len(list(t, s)); n != 2 {
		t.Errorf("a try left %d panels, had 2", n)
	}
}

// TestEveryBadRowIsNamed by line, column and code; nothing is written.
func TestEveryBadRowIsNamed(t *testing.T) {
	s, i := service(t)
	file := strings.Join([]string{
		"Nome;Account;Chiave;Prefisso;Ricevitore;poll_seconds;Fuso orario;Zone;Profilo", // 1
		"Buona;C0FFEE;hex:00112233445566778899aabbccddeeff;;;120;Europe/Rome;1=Ingresso|2=Ufficio;",
		";C0FFE1;;;;;;;",                     // 3: no name
		"Conto;XYZ;;;;;;;",                   // 4
		"Excel;1,23E+10;;;;;;;",              // 5
		"Chiave;C0FFE2;corta;;;;;;",          // 6
		"Fuso;C0FFE3;;;;;Europe/Roma;;",      // 7
		"Numero;C0FFE4;;;;novanta;;;",        // 8
		"Troppo;C0FFE5;;;;99999999;;;",       // 9
		"Doppia;c0ffee;;;;;;;",               // 10: as 2
		"Esiste altrove;AB12CD34;;0;;;;;",    // 11: is there with another name
		"Ambigua;5544;;;7;;;;",               // 12: could be taken for the shop
		"Zone;C0FFE6;;;;;;1;",                // 13
		"Zone;C0FFE7;;;;;;1=A|01=B;",         // 14
		"Prefisso;C0FFE8;;zz;;;;;",           // 15
		"Profilo;C0FFE9;;;;;;;SP9",           // 16
		"\"A capo\nnel nome\";C0FFEA;;;;;;;", // 17 and 18: a line break within
		"Lunga;C0FFEB;;;;;;;;troppo",         // 19
		"Tronca;C0FFED;",                     // 20: cut off
		"\"Virgolette;C0FFEC;;;;;;;",         // 21: to the end
	}, "\r\n")
	for range 2 {
		r, err := i.Import(t.Context(), at, centraltest.Customer, []byte(file), false)
		if err != nil || r.ID != nil {
			t.Fatalf("%+v %v", r, err)
		}
		want := []string{
			"3 Nome(1) required", "4 Account(2) account_form", "5 Account(2) account_form", "6 Chiave(3) key_form", "7 Fuso orario(7) time_zone",
			"8 poll_seconds(6) number", "9 poll_seconds(6) range", "10 Account(2) twice_in_file", "11 Account(2) import_differs", "12 Account(2) account_taken",
			"13 Zone(8) zones_form", "14 Zone(8) zone_twice", "15 Prefisso(4) number_form", "16 Profilo(9) profile", "17 Nome(1) characters", "19 (0) row_length", "20 (0) row_length", "21 (0) row_quote",
		}
		if got := faults(r); !slices.Equal(got, want) {
			t.Errorf("faults\n%q\nwant\n%q", got, want)
		}
		if r.Bad != len(want) || r.New != 1 || r.Rows != 19 {
			t.Errorf("%d bad, %d new of %d rows", r.Bad, r.New, r.Rows)
		}
		for _, f := range r.Faults {
			if f.Column == "Chiave" && f.Value != nil || strings.Contains(f.Expected, "corta") {
				t.Errorf("a key is told: %+v", f)
			}
		}
	}
	if n := len(list(t, s)); n != 2 {
		t.Errorf("a file with faults left %d panels, had 2", n)
	}
	for file, want := range map[string]string{
		"": "0 (0) file_empty", "name;account\n": "0 (0) file_empty", "name;conto\nA;1234\n": "1 conto(2) column_unknown, 1 (0) column_missing",
		"name;nome;account\nA;B;1234\n": "1 nome(2) column_twice", "\x00\x01\x02": "1 \x00\x01\x02(1) column_unknown, 1 (0) column_missing",
	} {
		r, err := i.Try(t.Context(), at, centraltest.Customer, []byte(file), false)
		if got := strings.Join(faults(r), ", "); err != nil || !strings.HasPrefix(got, strings.Split(want, ", ")[0]) && !strings.Contains(got, "column_missing") {
			t.Errorf("%q: %q %v, want %q", file, got, err, want)
		}
	}
}

// TestTheSameFileAgainChangesNothing, a changed one is refused, or updates.
func TestTheSameFileAgainChangesNothing(t *testing.T) {
	s, i := service(t)
	const file = "name;account;key;zones\nMagazzino;BEEF01;0123456789abcdef;1=Portone\nUfficio;BEEF02;;\n"
	r, err := i.Import(t.Context(), at, centraltest.Customer, []byte(file), false)
	if err != nil || r.New != 2 || r.ID == nil || r.InForce {
		t.Fatalf("%+v %v", r, err)
	}
	again, err := i.Import(t.Context(), at, centraltest.Customer, []byte(file), false)
	if err != nil || again.Unchanged != 2 || again.New+again.Updated+again.Bad != 0 || again.ID != nil || again.Revision != 0 {
		t.Errorf("again: %+v %v", again, err)
	}
	other := strings.ReplaceAll(strings.ReplaceAll(file, "Ufficio", "Ufficio nuovo"), "0123456789abcdef", "fedcba9876543210")
	r2, err := i.Import(t.Context(), at, centraltest.Customer, []byte(other), false)
	if got := faults(r2); err != nil || !slices.Equal(got, []string{"2 account(2) import_differs", "3 account(2) import_differs"}) || !strings.Contains(r2.Faults[0].Expected, "differs in: key") {
		t.Errorf("changed: %q %v", got, err)
	}
	r3, err := i.Import(t.Context(), at, centraltest.Customer, []byte(other), true)
	if err != nil || r3.Updated != 2 || r3.Bad != 0 {
		t.Errorf("update: %+v %v %v", r3, faults(r3), err)
	}
	names := list(t, s)
	if len(names) != 4 || !slices.Contains(names, "Ufficio nuovo") || slices.Contains(names, "Ufficio") {
		t.Errorf("panels %q", names)
	}
	if err := s.Publisher.Flush(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	back, err := i.Report(t.Context(), centraltest.Customer, *r.ID)
	if err != nil || back.New != 2 || !back.InForce || len(back.Done) != 2 || back.Done[0].ID == "" {
		t.Errorf("the report: %+v %v", back, err)
	}
	if csv := string(back.CSV()); !strings.Contains(csv, "2;BEEF01;Magazzino;new;"+back.Done[0].ID+"\r\n") {
		t.Errorf("as a file: %q", csv)
	}
	for _, who := range [][2]string{{centraltest.Customer, "none"}, {"other", *r.ID}} {
		s.Mesh.Key("other")
		if err := s.Ring.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := i.Report(t.Context(), who[0], who[1]); !errors.Is(err, panelimport.ErrNone) {
			t.Errorf("%v: %v", who, err)
		}
	}
	for _, age := range []time.Duration{30 * 24 * time.Hour, 30*24*time.Hour + time.Second} { // nobody imports anything meanwhile
		if err := i.Forget(t.Context(), at.Add(age)); err != nil {
			t.Fatal(err)
		}
		if _, err := i.Report(t.Context(), centraltest.Customer, *r.ID); errors.Is(err, panelimport.ErrNone) != (age > 30*24*time.Hour) {
			t.Errorf("a report is %s old: %v", age, err)
		}
	}
	r4, err := i.Try(t.Context(), at, centraltest.Customer, panelimport.Template(), false)
	if err != nil || len(r4.Faults) != 1 || r4.Faults[0].Code != "import_differs" {
		t.Errorf("the template: %q %v", faults(r4), err)
	}
}

func list(t testing.TB, s *centraltest.Service) (names []string) {
	t.Helper()
	d, _, err := s.Premises.Document(t.Context(), centraltest.Customer)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range d.Panels {
		names = append(names, p.Name)
	}
	return names
}

// Rows of a file as a monitoring centre has it.
func rows(n int) []byte {
	var b strings.Builder
	b.WriteString("Nome;Account;Chiave;Zone\r\n")
	for i := range n {
		fmt.Fprintf(&b, "Condominio via Garibaldi %d;%08X;hex:%032x;1=Porta d'ingresso|2=Soggiorno|3=Cantina\r\n", i, 0x10000000+i, i+1)
	}
	return []byte(b.String())
}

// TestFortyThousand takes a centre's whole stock in one file.
func TestFortyThousand(t *testing.T) {
	n := 40_000
	if testing.Short() {
		n = 2_000
	}
	s, i := service(t)
	file := rows(n)
	began := time.Now()
	r, err := i.Try(t.Context(), at, centraltest.Customer, file, false)
	if err != nil || r.New != n || r.Bad != 0 {
		t.Fatalf("%+v %v", r.New, err)
	}
	tried := time.Since(began)
	r, err = i.Import(t.Context(), at, centraltest.Customer, file, false)
	if err != nil || r.New != n {
		t.Fatalf("%+v %v", r.New, err)
	}
	entered := time.Since(began) - tried
	if err := s.Publisher.Flush(t.Context(), at); err != nil {
		t.Fatal(err)
	}
	sent := time.Since(began) - tried - entered
	again, err := i.Import(t.Context(), at, centraltest.Customer, file, false)
	if err != nil || again.Unchanged != n {
		t.Fatalf("%+v %v", again.Unchanged, err)
	}
	t.Logf("%d panels: tried in %s, entered in %s, sent in %s, again %s", n, tried, entered, sent, time.Since(began)-tried-entered-sent)
}

func FuzzRead(f *testing.F) {
	for _, seed := range []string{"name;account\nA;1234\n", "sep=,\nname,account\n\"A\n\",1", "\ufeff", "\xff\xfen\x00"} {
		f.Add([]byte(seed))
	}
	s, i := service(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := i.Try(t.Context(), at, centraltest.Customer, b, true)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Faults) == 0 && r.New+r.Updated+r.Unchanged != r.Rows {
			t.Errorf("%+v: rows that are neither taken nor named", r)
		}
		_ = s
	})
}

// TestHostileFilesAreBounded: what is held of a file doesn't grow with its rows,
// columns or faults beyond what a customer can have, and a report stays readable.
func TestHostileFilesAreBounded(t *testing.T) {
	_, i := service(t)
	for _, c := range []struct{ name, file, fault string }{
		{"rows", "name;account\n" + strings.Repeat("a;b\n", 300_000), "rows_many"},
		{"broken rows", "name;account\n" + strings.Repeat("a\"\n", 300_000), "faults_many"},
		{"faults", "name;account;poll_seconds;zones\n" + strings.Repeat("a;b;c;1=|2\n", 40_000), "faults_many"},
		{"columns", "name;account" + strings.Repeat(";x", 400_000) + "\nA;BEEF01\n", "columns_many"},
		{"a long first line", strings.Repeat("name;", 600_000), "row_long"},
		{"a long row", "name;account\nA;BEEF01" + strings.Repeat(";", 3<<20), "row_long"},
		{"a cell of many lines", "name;account\nA;\"BEEF01" + strings.Repeat("\n", 3<<20) + "\"\n", "row_long"},
		{"wide", wide("name;account\nA;BEEF01"+strings.Repeat(";", 3<<20), false), "row_long"},
		{"zones", "name;account;zones\nA;BEEF01;" + strings.Repeat("1=|", 300_000) + "\n", "too_many"},
	} {
		for _, do := range []func(context.Context, time.Time, string, []byte, bool) (panelimport.Report, error){i.Try, i.Import} {
			r, err := do(t.Context(), at, centraltest.Customer, []byte(c.file), false)
			if err != nil || r.ID != nil || len(r.Faults) == 0 || len(r.Faults) > 10_001 || r.Rows > 50_001 ||
				!slices.ContainsFunc(r.Faults, func(f panelimport.Fault) bool { return f.Code == c.fault }) {
				t.Errorf("%s: %d rows, %d faults, %v %v, want %s", c.name, r.Rows, len(r.Faults), faults(r)[:min(3, len(r.Faults))], err, c.fault)
			}
		}
	}
}

// TestReportIsNoFormula whatever a cell had, also behind what spreadsheets skip.
func TestReportIsNoFormula(t *testing.T) {
	_, i := service(t)
	for _, v := range []string{"=1+1", "+1", "-1", "@SUM(1)", "=\"\t=1+1\"", "=\"\r=1\"", "\uff1d1+1", "\uff0b1", "\uff0d1", "\uff201"} {
		cell := "\"" + strings.ReplaceAll(v, "\"", "\"\"") + "\""
		r, err := i.Try(t.Context(), at, centraltest.Customer, []byte("name;account\nA;"+cell+"\n"), false)
		if err != nil || len(r.Faults) != 1 || r.Faults[0].Value == nil {
			t.Fatalf("%q: %v %v", v, faults(r), err)
		}
		if report := string(r.CSV()); !strings.Contains(report, "'"+strings.ReplaceAll(*r.Faults[0].Value, "\r", "")) {
			t.Errorf("%q is not taken for text: %q", v, report)
		}
	}
}
