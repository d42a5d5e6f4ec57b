package event

import (
	"slices"
	"strings"
	"testing"
)

func TestTablesAreComplete(t *testing.T) {
	sia, err := loadTable(siaText, readSIARow)
	if err != nil {
		t.Fatal(err)
	}
	cid, err := loadTable(cidText, readCIDRow)
	if err != nil {
		t.Fatal(err)
	}
	if len(sia) != 325 || len(cid) != 262 {
		t.Fatalf("%d SIA and %d Contact ID codes, want 325 and 262", len(sia), len(cid))
	}
	if len(Rows(SIA)) != 325 || len(Rows(CID)) != 262 {
		t.Fatal("Rows leaves some out")
	}
}

func TestUnmappedRowIsRefused(t *testing.T) {
	for _, line := range []string{
		"BA|Burglary Alarm|Allarme intrusione||new|zone",
		"BA|Burglary Alarm|Allarme intrusione|alarm|new|zone",
		"BA|Burglary Alarm|Allarme intrusione|burglary||zone",
		"BA|Burglary Alarm||burglary|new|zone",
		"BA|Burglary Alarm|Allarme intrusione|burglary|new|",
		"BA|Burglary Alarm|Allarme intrusione|burglary|new",
		"BA|a|b|burglary|new|zone\nBA|a|b|burglary|new|zone",
	} {
		if rows, err := loadTable(line, readSIARow); err == nil {
			t.Errorf("%q: taken as %v", line, rows)
		}
	}
}

// The rows that product.md states.
func TestPinnedRows(t *testing.T) {
	for codes, want := range map[string]Category{
		"100 101": Medical, "110 111 113 114 115 117": Fire, "120 122 123": Panic, "121 124 125": Duress, "126": Holdup,
		"130 131 132": Burglary, "137 144 383": Tamper, "151 162": Gas, "154": Water, "158 159 200 201 202 203 204 205 206": Technical,
		"301 302 311": Power, "350 351 354": Communication, "400 401 409 441": OpenClose, "570 573": Bypass,
		"421 461": Access, "601 602": Test, "305": System, "300": Trouble,
	} {
		for code := range strings.FieldsSeq(codes) {
			if r, ok := Lookup(CID, code); !ok || r.Category != want {
				t.Errorf("Contact ID %s is %q, want %q", code, r.Category, want)
			}
		}
	}
	for _, r := range Rows(CID) {
		if r.Code[0] == '2' && r.Category != Technical {
			t.Errorf("Contact ID %s is %q, want technical", r.Code, r.Category)
		}
	}
	for code, want := range map[string]string{
		"BA": "burglary new zone", "BR": "burglary restore zone", "BH": "burglary restore zone", "FA": "fire new zone", "HA": "holdup new zone",
		"PA": "panic new zone", "MA": "medical new zone", "GA": "gas new zone", "WA": "water new zone", "TA": "tamper new zone",
		"AT": "power new none", "AR": "power restore none", "YC": "communication new none", "YK": "communication restore none",
		"BB": "bypass new zone", "BU": "bypass restore zone", "CL": "openclose new user", "OP": "openclose new user",
		"RP": "test new none", "DD": "access new door", "CG": "openclose new area", "ZY": "other new hub",
	} {
		if r, ok := Lookup(SIA, code); !ok || string(r.Category)+" "+string(r.Qualifier)+" "+r.Names != want {
			t.Errorf("SIA %s is %v, want %s", code, r, want)
		}
	}
}

func TestRestoralsAreRestores(t *testing.T) {
	for _, r := range Rows(SIA) {
		m := strings.ToLower(r.Meaning)
		if (strings.Contains(m, "restor") || strings.Contains(m, "unbypass")) != (r.Qualifier == Restore) && !slices.Contains(
			[]string{"AB", "BC", "FC", "FK", "JC", "LE", "LX", "NS", "TE", "TZ", "VI", "VY", "YZ"}, r.Code) {
			t.Errorf("%s %q is %s", r.Code, r.Meaning, r.Qualifier)
		}
	}
}

func TestOwnCodesHaveAMeaning(t *testing.T) {
	for _, code := range []string{"CUT", "PLAIN_REFUSED"} {
		if r, ok := Lookup(Vedetta, code); !ok || r.Category != System || r.Qualifier != New || r.Meaning == r.MeaningIT {
			t.Errorf("%s: %+v, want a row with a meaning in both languages", code, r)
		}
	}
	if _, ok := Lookup(Vedetta, "BA"); ok {
		t.Error("a code of another table is found among our own")
	}
}
