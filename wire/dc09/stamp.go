package dc09

import "time"

// stampLen is the length of "_HH:MM:SS,MM-DD-YYYY".
const stampLen = 20

// Stamp tells how a content's timestamp was found.
type Stamp uint8

// Stamps.
const (
	StampNone Stamp = iota
	StampGood
	StampBad // looks like one, but is no date: NAK when encrypted, else the receiver's time
)

// readStamp reads what stands behind the last bracket. What doesn't even look
// like a timestamp is none, and ok is false unless it is empty.
func readStamp(tail []byte) (t time.Time, stamp Stamp, ok bool) {
	if len(tail) == 0 {
		return t, StampNone, true
	}
	if tail[0] != '_' || len(tail) < 12 || len(tail) > stampLen+4 {
		return t, StampNone, false
	}
	var n [6]int // hour, minute, second, month, day, year
	const seps = "::,--"
	field, width := 0, 0
	exact := len(tail) == stampLen
	for _, c := range tail[1:] {
		if c >= '0' && c <= '9' {
			n[field] = n[field]*10 + int(c-'0')
			width++
			continue
		}
		if field == 5 || c != seps[field] {
			return t, StampNone, false
		}
		exact = exact && width == 2
		field, width = field+1, 0
	}
	if field != 5 {
		return t, StampNone, false
	}
	if !exact || n[0] > 23 || n[1] > 59 || n[2] > 59 || n[3] < 1 || n[3] > 12 || n[4] < 1 {
		return t, StampBad, true
	}
	t = time.Date(n[5], time.Month(n[3]), n[4], n[0], n[1], n[2], 0, time.UTC)
	if t.Day() != n[4] {
		return time.Time{}, StampBad, true
	}
	return t, StampGood, true
}

// appendStamp writes t as "_HH:MM:SS,MM-DD-YYYY" in UTC.
func appendStamp(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = append2(append(dst, '_'), hour)
	dst = append2(append(dst, ':'), minute)
	dst = append2(append(dst, ':'), second)
	dst = append2(append(dst, ','), int(month))
	dst = append2(append(dst, '-'), day)
	dst = append2(append(dst, '-'), year/100)
	return append2(dst, year%100)
}

func append2(dst []byte, n int) []byte { return append(dst, byte('0'+n/10%10), byte('0'+n%10)) }
