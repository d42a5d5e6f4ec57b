package frame

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vedetta/wire/dc09"
)

const plain = "\nA18D0027\"ADM-CID\"0001L0#7099[#7099|1131 01 003]\r"

func decoded(t *testing.T, o DecodeOptions, in string) (int, Document, string) {
	t.Helper()
	var out, errOut bytes.Buffer
	code := RunDecode(o, strings.NewReader(in), &out, &errOut)
	var d Document
	if code != ExitUsage {
		r := json.NewDecoder(&out)
		r.DisallowUnknownFields()
		if err := r.Decode(&d); err != nil || r.More() {
			t.Fatalf("%q: %v, want one object", out.String(), err)
		}
	}
	return code, d, errOut.String()
}

func TestOneFrameInManyCoats(t *testing.T) {
	hex := fmt.Sprintf("%x", plain)
	for name, in := range map[string]string{
		"raw": plain, "Go's or our own panel send's": fmt.Sprintf("%q\n", plain), "escaped": strings.NewReplacer("\n", `\n`, "\r", `\r`).Replace(plain) + "\n",
		"all escaped": `\x0A` + plain[1:len(plain)-1] + `\x0d`, "Python's": `b'` + strings.NewReplacer("\n", `\n`, "\r", `\r`).Replace(plain) + "'\n",
		"visible": "<LF>" + plain[1:len(plain)-1] + "<CR>\n", "hex in a file": hex + "\n", "noise around": "\x00\r\n" + plain + "\r\n",
	} {
		code, d, _ := decoded(t, DecodeOptions{}, in)
		if code != 0 || d.Error != "" || *d.Account != "7099" || *d.CRC != "ok" || len(d.Events) != 1 || shown(d.Events[0].Zone) != "003" || len(d.Quirks) != 0 {
			t.Errorf("%s: exit %d, %+v", name, code, d)
		}
	}
	for _, h := range []string{hex, strings.ToUpper(hex), "0x" + hex, hex[:20] + " \n" + hex[20:], "0x" + hex[:2] + ", 0x" + hex[2:4] + " " + hex[4:]} {
		if code, d, _ := decoded(t, DecodeOptions{Hex: &h}, ""); code != 0 || *d.Account != "7099" {
			t.Errorf("--hex %s: exit %d, %+v", h, code, d)
		}
	}
}

func TestWhatCannotBeRead(t *testing.T) {
	key := "00112233445566778899AABBCCDDEEFF"
	sealed, err := Encode(Document{Token: new("SIA-DCS"), Prefix: new("0"), Account: new("1234"), Data: new("#1234|NBA1")}, mustKey(t, key), testTime)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		raw, key, want string
		read           bool // fields are there all the same
	}{
		"nothing":        {"", "", "nothing to read", false},
		"only silence":   {"\r\n\x00", "", "nothing to read", false},
		"http":           {"GET / HTTP/1.1\r\n\r\n", "", "not DC-09 but http", false},
		"words":          {"hello, world, this is no frame\r", "", "not DC-09: want LF", false},
		"header cut":     {"\nA18D00", "", "ends before its header is complete", false},
		"cut in two":     {plain[:44], "", "23 hex bytes came from the first quote on, its length says 027", true},
		"header without": {plain[:22], "", "ends before its header is complete", false},
		"no CR":          {plain[:len(plain)-1], "", "the CR (0D) at the end is missing; CRC and length are good", true},
		"no CR, altered": {strings.Replace(plain[:len(plain)-1], "003", "004", 1), "", "the CR (0D) at the end is missing, and the CRC is bad", true},
		"no sequence":    {frameOf(`"NULL"x12[]`), "", "the CRC is good, the header can't be read: want a sequence of 4 digits", false},
		"no bracket":     {frameOf(`"NULL"0001L0#1234`), "", "want a data block in brackets", false},
		"wrong key":      {string(sealed), "text:sixteen letters!", "the key (text, AES-128) doesn't open the content", true},
		"no AES":         {frameOf(`"*NULL"0001L0#1234[0011`), "", "4 characters, want hex digits of whole AES blocks", true},
		"a whole file":   {strings.Repeat(plain, 2000), "", "want one frame", false},
		"too long":       {"\n00000FFF\"" + strings.Repeat("A", 5000), "", "no end within", false},
	} {
		code, d, _ := decoded(t, DecodeOptions{Key: c.key}, c.raw)
		if code != ExitUnreadable || !strings.Contains(d.Error, c.want) || (d.Token != nil) != c.read {
			t.Errorf("%s: exit %d, %q, token %v; want %q", name, code, d.Error, shown(d.Token), c.want)
		}
	}
	for hex, want := range map[string]string{"0A4": "3 digits", "0A 4G": `"G" is no hex digit`, "": "nothing to read"} {
		if code, d, _ := decoded(t, DecodeOptions{Hex: &hex}, ""); code != ExitUnreadable || !strings.Contains(d.Error, want) {
			t.Errorf("hex %q: exit %d, %q", hex, code, d.Error)
		}
	}
}

func frameOf(body string) string { return string(append([]byte(rawHead(body)+body), '\r')) }

func TestKeysAsPeopleTypeThem(t *testing.T) {
	d := Document{Token: new("SIA-DCS"), Prefix: new("0"), Account: new("1234"), Data: new("#1234|NBA1")}
	dir := t.TempDir()
	for name, c := range map[string]struct{ encode, decode string }{
		"hex, case":                    {"00112233445566778899aabbccddeeff", "hex:00112233445566778899AABBCCDDEEFF"},
		"text of hex digits, 24 bytes": {"text:0011223344556677889900AA", "0011223344556677889900AA"},
		"256 bits":                     {strings.Repeat("0f", 32), "hex:" + strings.Repeat("0F", 32)},
		"16 digits are text":           {"AABBCCDDEEFF0011", "text:AABBCCDDEEFF0011"},
	} {
		b, err := Encode(d, mustKey(t, c.encode), testTime)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(dir, "key")
		if err := os.WriteFile(file, []byte(c.decode+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, o := range []DecodeOptions{{Key: c.decode}, {KeyFile: file}} {
			if code, got, _ := decoded(t, o, string(b)); code != 0 || shown(got.Data) != "#1234|NBA1" || shown(got.Timestamp) != "2026-11-24T12:00:00Z" {
				t.Errorf("%s: exit %d, %+v", name, code, got)
			}
		}
		if code, got, _ := decoded(t, DecodeOptions{}, string(b)); code != 0 || got.Data != nil || got.Timestamp != nil || len(got.Events) != 0 || !*got.Encrypted {
			t.Errorf("%s without key: exit %d, %+v", name, code, got)
		}
	}
}

func TestUsage(t *testing.T) {
	hex := "0A"
	for want, o := range map[string]DecodeOptions{
		"--key: dc09: key, want 32": {Key: "secretsecret"}, "one of them": {Hex: &hex, File: "x"}, "no such file": {File: "/nonexistent/x"},
		"--key-file: open": {KeyFile: "/nonexistent/x"}, "--key and --key-file": {Key: "a", KeyFile: "b"},
	} {
		if code, _, said := decoded(t, o, plain); code != ExitUsage || !strings.Contains(said, want) || strings.Contains(said, "secret") {
			t.Errorf("exit %d, %q, want %q", code, said, want)
		}
	}
	for doc, want := range map[string]string{
		"": "nothing to read", "[]": "as decode prints it", `{"token":"NULL","colour":1}`: `unknown field "colour"`, `{"token":"NULL","seq":1}`: "seq is a number",
		`{}`: "token: missing", `{"token":"NULL","seq":"12345"}`: "1 to 4 digits", `{"token":"NULL","crc_form":"hex"}`: "crc_form", `{"token":"NULL","crc":"maybe"}`: "crc",
		`{"token":"NULL","timestamp":"yesterday"}`: "timestamp", `{"token":"NULL","encrypted":true,"data":""}`: "no key is given",
		`{"token":"NULL"} {}`: "more than one", `{"token":"NULL","error":"x"}`: "could not be read", `{"token":"N\"LL"}`: "token",
		`{"token":"NULL","prefix":"1[2"}`: "prefix", `{"token":"SIA-DCS","data":"a][Vb"}`: "data",
		`{"token":"SIA-DCS","data":"è日","quirks":["windows-1252"]}`: "windows-1252", `{"token":"SIA-DCS","account":"1234","data":"#1234|NBA1","quirks":["header-text"]}`: "header-text",
		`{"token":"SIA-DCS","data":"` + strings.Repeat("x", 5000) + `"}`: "longer than",
	} {
		var out, errOut bytes.Buffer
		if code := RunEncode(EncodeOptions{}, strings.NewReader(doc), &out, &errOut); code != ExitUsage || !strings.Contains(errOut.String(), want) || out.Len() > 0 {
			t.Errorf("%.80s: exit %d, %q, want %q", doc, code, errOut.String(), want)
		}
	}
}

func TestEncodeByFlags(t *testing.T) {
	var out, errOut bytes.Buffer
	o := EncodeOptions{Token: new("ADM-CID"), Account: new("7099"), Data: new("#7099|1131 01 003")}
	if code := RunEncode(o, nil, &out, &errOut); code != 0 || out.String() != plain {
		t.Errorf("exit %d, %q %s", code, &out, &errOut)
	}
	out.Reset()
	o.Hex = true
	if code := RunEncode(o, nil, &out, &errOut); code != 0 || strings.TrimSpace(out.String()) != fmt.Sprintf("%X", plain) {
		t.Errorf("exit %d, %q %s", code, &out, &errOut)
	}
	// A flag over a document.
	out.Reset()
	o = EncodeOptions{Seq: new("2"), Receiver: new("A1"), XData: []string{"Vhttps://example.org/1,https://example.org/2"}}
	code, d, _ := decoded(t, DecodeOptions{}, plain)
	if code != 0 {
		t.Fatal(code)
	}
	if code := RunEncode(o, strings.NewReader(asJSON(t, d)), &out, &errOut); code != 0 || !strings.Contains(out.String(), `"ADM-CID"0002RA1L0#7099[#7099|1131 01 003][Vhttps://example.org/1,https://example.org/2]`) {
		t.Errorf("exit %d, %q %s", code, &out, &errOut)
	}
}

// rawHead is LF, CRC and length of a body, made without the encoder.
func rawHead(body string) string {
	return fmt.Sprintf("\n%04X0%03X", dc09.CRC([]byte(body)), len(body))
}

var testTime = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
