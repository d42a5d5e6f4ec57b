package event

import (
	"strconv"
	"strings"
)

// Extended is one field of extended data: what a panel says besides its events.
type Extended struct {
	ID    string // one capital letter
	Value string // as UTF-8, never trimmed; empty for a secret
}

// extendedNames are what the letters mean, as DC-09 has them (dc09.md, 2.3), in
// English and Italian, and the key of the API.
var extendedNames = map[string]struct{ key, en, it string }{
	"A": {"authentication", "Authentication hash", "Codice di autenticazione"},
	"C": {"supervision", "Supervision category", "Categoria di supervisione"},
	"H": {"event_time", "Time of the event", "Ora dell’evento"},
	"I": {"text", "Alarm text", "Testo dell’allarme"},
	"J": {"path", "Network path", "Percorso di rete"},
	"K": {"new_key", "New encryption key", "Nuova chiave di cifratura"},
	"L": {"location", "Location", "Luogo"},
	"M": {"mac_address", "MAC address", "Indirizzo MAC"},
	"N": {"network_address", "Network address", "Indirizzo di rete"},
	"O": {"building", "Building", "Edificio"},
	"P": {"programming", "Programming data", "Dati di programmazione"},
	"R": {"room", "Room", "Locale"},
	"S": {"site", "Site of the panel", "Sede della centrale"},
	"T": {"trigger", "Alarm trigger", "Origine dell’allarme"},
	"U": {"media", "Media", "File multimediali"},
	"V": {"verification", "Image, video or sound", "Immagine, video o audio"},
	"X": {"longitude", "Longitude", "Longitudine"},
	"Y": {"latitude", "Latitude", "Latitudine"},
	"Z": {"altitude", "Altitude", "Altitudine"},
}

// Key is the field's name in the API; its letter in lower case when DC-09 doesn't
// define it.
func (x Extended) Key() string {
	if n, ok := extendedNames[x.ID]; ok {
		return n.key
	}
	return strings.ToLower(x.ID)
}

// Name is what people call the field, in Italian or, for "en", in English; its
// letter when DC-09 doesn't define it.
func (x Extended) Name(language string) string {
	n, ok := extendedNames[x.ID]
	switch {
	case !ok:
		return x.ID
	case language == "en":
		return n.en
	}
	return n.it
}

// Secret tells that the value is a key: it is never shown or passed on.
func (x Extended) Secret() bool { return x.ID == "K" }

// HideSecrets puts dots for the values of secrets in a message's bytes, as they
// came: in extended data, which begins at ][ and a letter and ends where the next
// begins, or at the last ]. What has no end is hidden to its end.
func HideSecrets(raw string) string {
	var b []byte
	for at := 0; ; {
		i := strings.Index(raw[at:], "][K")
		if i < 0 {
			break
		}
		from := at + i + len("][K")
		end := len(raw)
		if last := strings.LastIndexByte(raw, ']'); last >= from {
			end = last
		}
		for j := from; j+2 < end; j++ {
			if c := raw[j+2]; raw[j] == ']' && raw[j+1] == '[' && (c == '#' || c >= 'A' && c <= 'Z') {
				end = j
				break
			}
		}
		if b == nil {
			b = []byte(raw)
		}
		for j := from; j < end; j++ {
			b[j] = '.'
		}
		at = from
	}
	if b == nil {
		return raw
	}
	return string(b)
}

// Extended reads the extended data of a message, in its order. Further data blocks,
// which stand among it, are left out, and so are the values of secrets.
func (r Reader) Extended(xdata [][]byte) []Extended {
	var list []Extended
	for _, b := range xdata {
		if len(b) == 0 || b[0] < 'A' || b[0] > 'Z' {
			continue
		}
		x := Extended{ID: string(b[:1])}
		if !x.Secret() {
			x.Value = r.Encoding.Text(b[1:])
		}
		list = append(list, x)
	}
	return list
}

// Line is the field as decisions carry it: the letter and the text.
func (x Extended) Line() string { return x.ID + x.Value }

// ExtendedLines reads what Line wrote; a line that is empty is left out.
func ExtendedLines(lines []string) []Extended {
	list := make([]Extended, 0, len(lines))
	for _, l := range lines {
		if l != "" {
			list = append(list, Extended{ID: l[:1], Value: l[1:]})
		}
	}
	return list
}

// Coordinates are where a message says that it comes from, in degrees, north and
// east positive; ok is false when it doesn't say both. The values are degrees, a
// letter of direction and minutes: X012W34.1, Y45N12.2.
func Coordinates(list []Extended) (latitude, longitude float64, ok bool) {
	var north, east bool
	for _, x := range list {
		switch x.ID {
		case "Y":
			latitude, north = degrees(x.Value, 'N', 'S', 90)
		case "X":
			longitude, east = degrees(x.Value, 'E', 'W', 180)
		}
	}
	return latitude, longitude, north && east
}

func degrees(s string, plus, minus byte, most float64) (float64, bool) {
	i := strings.IndexAny(s, string([]byte{plus, minus}))
	if i < 1 {
		return 0, false
	}
	whole, err := strconv.ParseUint(s[:i], 10, 16)
	minutes, err2 := strconv.ParseFloat(s[i+1:], 64)
	if s[i+1:] == "" {
		minutes, err2 = 0, nil
	}
	d := float64(whole) + minutes/60
	if err != nil || err2 != nil || !(minutes >= 0 && minutes < 60) || d > most {
		return 0, false
	}
	if s[i] == minus {
		d = -d
	}
	return d, true
}
