package frame

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// Exit codes of `vedettactl dc09`; a promise.
const (
	ExitDone       = 0
	ExitUnreadable = 3 // the JSON says in "error" what was expected
	ExitUsage      = 64
)

// DecodeOptions of `vedettactl dc09 decode`.
type DecodeOptions struct {
	Hex     *string `name:"hex" placeholder:"HEX" help:"The frame as hex digits; spaces, new lines, 0x, commas and colons between bytes are passed over."`
	Key     string  `name:"key" help:"The account's key: hex:... or text:... decides, else 32, 48 or 64 hex digits are hex and 16, 24 or 32 bytes text. It shows in the machine's list of processes: see --key-file."`
	KeyFile string  `name:"key-file" placeholder:"FILE" help:"File whose first line is the key."`
	Pretty  bool    `name:"pretty" help:"Indent the JSON."`
	File    string  `arg:"" optional:"" help:"File with the raw bytes of one frame; standard input when left out, or -."`
}

// Help says what is read and how.
func (DecodeOptions) Help() string {
	return `Prints one JSON object: crc_form (ascii, binary, ascii+cr), crc and length (ok, bad), encrypted, token (without *), seq, receiver and prefix (as in the frame, without the letters R and L), account (the header's, else the block's), timestamp, data (between [ and ], "#account|" included; null when encrypted and no key was given), xdata (further data blocks too), events, quirks.

An event's time is the one it states itself (ti, da, [H...]), null when it states none; the frame's is timestamp. Bytes that are no UTF-8 are read as Windows-1252, and quirks says so.

A frame with a bad CRC or a wrong length is read all the same and says so. Exit 0: the frame can be read. Exit 3: it can't, and "error" says what was expected: bytes that are no frame, a frame without its end, a key that doesn't fit. Exit 64: wrong usage.

A file is raw bytes. A copy of a log is understood where it can be nothing else: it begins with \n or \x0A spelled out (also between quotes), with <LF>, or is hex digits alone that begin with 0A. In such a copy \n \r \t \0 \xHH \\ \" stand for bytes, in one with <LF> only a <CR> at the end.`
}

// RunDecode prints the document of one frame and returns the exit code.
func RunDecode(o DecodeOptions, in io.Reader, out, errOut io.Writer) int {
	usage := func(err error) int {
		fmt.Fprintln(errOut, "dc09 decode:", err)
		return ExitUsage
	}
	if o.Hex != nil && o.File != "" {
		return usage(errors.New("--hex and FILE: want one of them"))
	}
	key, err := readKey(o.Key, o.KeyFile)
	if err != nil {
		return usage(err)
	}
	var d Document
	if o.Hex != nil {
		b, err := fromHex(*o.Hex)
		if d = nothing(errEmpty); err != nil {
			d = nothing(err)
		} else if len(b) > 0 {
			d = Decode(b, key)
		}
	} else {
		hint(o.File, in, errOut, "one frame")
		b, err := read(o.File, in)
		switch {
		case errors.Is(err, errMuch):
		case err != nil:
			return usage(err)
		default:
			b, err = fromCopy(b)
		}
		if err != nil {
			d = nothing(err)
		} else {
			d = Decode(b, key)
		}
	}
	if err := print(out, d, o.Pretty); err != nil {
		return usage(err)
	}
	if d.Error != "" {
		return ExitUnreadable
	}
	return ExitDone
}

func print(out io.Writer, d Document, pretty bool) error {
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	if pretty {
		e.SetIndent("", "  ")
	}
	return e.Encode(d)
}

// EncodeOptions of `vedettactl dc09 encode`. A flag replaces the document's field.
type EncodeOptions struct {
	Token     *string  `name:"token" help:"SIA-DCS, ADM-CID, NULL or another, without *."`
	Seq       *string  `name:"seq" help:"1 to 4 digits; 0001 when left out."`
	Receiver  *string  `name:"receiver" help:"Behind the R, without the letter; no R when left out."`
	Prefix    *string  `name:"prefix" help:"Behind the L, without the letter; 0 when left out. Without any L: null in a document."`
	Account   *string  `name:"account" help:"Account of the header, without #."`
	Timestamp *string  `name:"timestamp" help:"RFC 3339 with whole seconds, or now; an encrypted frame gets now when it is left out."`
	Data      *string  `name:"data" help:"Between [ and ], as '#1234|Nri1/BA001'; empty when left out."`
	XData     []string `name:"xdata" sep:"none" help:"One block of extended data, without brackets, as 'Vhttps://example.org/a.jpg'. May be repeated."`
	CRCForm   *string  `name:"crc-form" help:"ascii, binary or ascii+cr; ascii when left out."`
	Key       string   `name:"key" help:"Encrypt with this key, written as for decode. It shows in the machine's list of processes: see --key-file."`
	KeyFile   string   `name:"key-file" placeholder:"FILE" help:"File whose first line is the key."`
	Hex       bool     `name:"hex" help:"Print hex digits instead of the raw bytes."`
	File      string   `arg:"" optional:"" help:"File with a document as decode prints it; -, or nothing and no --token, reads standard input."`
}

// Help says how document and flags go together.
func (EncodeOptions) Help() string {
	return `Writes the frame to standard output, from LF to CR. What decode printed can be given back: the frame is the same byte for byte when it was in the standard's form and plain (an encrypted one has a new random pad).

In a document "crc":"bad" or "length":"bad" make a frame with that fault, and "quirks" may hold length-decimal, missing-LF, trailing-NUL, no-account-in-header and windows-1252; "events" is not looked at. What would be read otherwise than it was given is refused, naming the field: exit 64.`
}

// RunEncode writes the frame and returns the exit code.
func RunEncode(o EncodeOptions, in io.Reader, out, errOut io.Writer) int {
	usage := func(err error) int {
		fmt.Fprintln(errOut, "dc09 encode:", err)
		return ExitUsage
	}
	key, err := readKey(o.Key, o.KeyFile)
	if err != nil {
		return usage(err)
	}
	d := Document{Prefix: new("0")}
	if o.File != "" || o.Token == nil {
		hint(o.File, in, errOut, "one document (or give --token and more flags)")
		b, err := read(o.File, in)
		if err != nil {
			return usage(err)
		}
		if d, err = parseDocument(b); err != nil {
			return usage(err)
		}
	}
	for field, flag := range map[**string]*string{
		&d.Token: o.Token, &d.Seq: o.Seq, &d.Receiver: o.Receiver, &d.Prefix: o.Prefix, &d.Account: o.Account,
		&d.Timestamp: o.Timestamp, &d.Data: o.Data, &d.CRCForm: o.CRCForm,
	} {
		if flag != nil {
			*field = flag
		}
	}
	if o.XData != nil {
		d.XData = o.XData
	}
	b, err := Encode(d, key, time.Now())
	if err != nil {
		return usage(err)
	}
	if o.Hex {
		b = fmt.Appendf(nil, "%X\n", b)
	}
	if _, err := out.Write(b); err != nil {
		return usage(err)
	}
	return ExitDone
}

// parseDocument reads a document; a field that is left out is null, but for the
// prefix, which the standard wants.
func parseDocument(b []byte) (Document, error) {
	if len(bytes.TrimSpace(b)) == 0 {
		return Document{}, errors.New("nothing to read: want a JSON object as decode prints it, or --token and more flags")
	}
	d := Document{Prefix: new("0")}
	r := json.NewDecoder(bytes.NewReader(b))
	r.DisallowUnknownFields()
	if err := r.Decode(&d); err != nil {
		var wrong *json.UnmarshalTypeError
		switch {
		case errors.As(err, &wrong):
			return Document{}, fmt.Errorf("document: %s is a %s, want as decode prints it", wrong.Field, wrong.Value)
		case strings.Contains(err.Error(), "unknown field"):
			return Document{}, fmt.Errorf("document: %s; want some of %s", strings.TrimPrefix(err.Error(), "json: "), strings.Join(fields(), " "))
		}
		return Document{}, fmt.Errorf("document: want one JSON object as decode prints it: %w", err)
	}
	if r.More() {
		return Document{}, errors.New("document: more than one JSON object")
	}
	if d.Error != "" {
		return Document{}, errors.New("document: it is of a frame that could not be read")
	}
	return d, nil
}

// fields are the keys of a document.
func fields() []string {
	b, _ := json.Marshal(Document{})
	keys := map[string]any{}
	_ = json.Unmarshal(b, &keys)
	return slices.Sorted(maps.Keys(keys))
}

// hint tells a person what is waited for: without it they would sit before nothing.
func hint(file string, in io.Reader, errOut io.Writer, what string) {
	f, ok := in.(*os.File)
	if file != "" && file != "-" || !ok {
		return
	}
	if st, err := f.Stat(); err == nil && st.Mode()&os.ModeCharDevice != 0 {
		fmt.Fprintf(errOut, "Reading %s from standard input; end with Ctrl-D.\n", what)
	}
}
