package event

import "bytes"

// parseCID reads a Contact ID block, [#acct|]QXYZ GG CCC: qualifier, code,
// partition, zone or user. The partition may be missing, the zone may have four
// digits, the spaces may be left out; what follows is text.
func (r Reader) parseCID(data []byte) []Event {
	b := withoutAccount(data)
	if len(b) == 0 {
		return nil
	}
	rest := bytes.TrimLeft(b, " ")
	if len(rest) < 4 || !alnum(rest[1]) || !alnum(rest[2]) || !alnum(rest[3]) {
		return []Event{r.unreadable(CID, b)}
	}
	e := Event{Standard: CID, Category: Other}
	switch rest[0] {
	case '1', 'E':
		e.Qualifier = New
	case '3', 'R':
		e.Qualifier = Restore
	case '6', 'P':
		e.Qualifier = Ongoing
	default:
		return []Event{r.unreadable(CID, b)}
	}
	e.Code = string(bytes.ToUpper(rest[1:4]))
	e.Partition, e.Address, rest = cidNumbers(rest[4:])
	row, ok := Lookup(CID, e.Code)
	if ok {
		e.Meaning, e.MeaningIT, e.Category, e.AddressKind = row.Meaning, row.MeaningIT, row.Category, row.Names
		if e.Qualifier == Restore && row.Restored != "" {
			e.Meaning, e.MeaningIT = row.Restored, row.RestoredIT
		}
	} else {
		e.Meaning, e.MeaningIT = "Unknown Contact ID code "+e.Code, "Codice Contact ID sconosciuto "+e.Code
	}
	if e.AddressKind == "user" {
		e.User = e.Address
	} else {
		e.Zone = e.Address
	}
	e.Text = r.trailingText(rest)
	return []Event{e}
}

// cidNumbers takes "GG CCC", "GGCCC", "CCC" or nothing off the front.
func cidNumbers(b []byte) (partition, address string, rest []byte) {
	first, rest := number(b)
	second, after := number(rest)
	switch {
	case second != "":
		return first, second, after
	case len(first) == 5:
		return first[:2], first[2:], rest
	case len(first) <= 2:
		return first, "", rest
	}
	return "", first, rest
}

func number(b []byte) (string, []byte) {
	b = bytes.TrimLeft(b, " ")
	n := 0
	for n < len(b) && b[n] >= '0' && b[n] <= '9' {
		n++
	}
	if n < len(b) && bytes.IndexByte([]byte(" |^/"), b[n]) < 0 {
		return "", b // a word of the text
	}
	return string(b[:n]), b[n:]
}

// trailingText is the text behind the numbers, without the signs around it.
func (r Reader) trailingText(b []byte) string {
	switch {
	case len(b) == 0:
		return ""
	case b[0] == '^':
		b = bytes.TrimSuffix(b[1:], []byte("^"))
	case bytes.HasPrefix(b, []byte("|A")):
		b = b[2:]
	}
	return r.Encoding.Text(b)
}

func alnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'F' || c >= 'a' && c <= 'f'
}
