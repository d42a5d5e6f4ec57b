package status

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"
)

// functions are what the template may call: texts and numbers of one language.
func (w words) functions() template.FuncMap {
	return template.FuncMap{
		"t": w.t, "duration": w.duration, "ago": w.ago, "size": w.size, "share": w.share,
		"offset": w.offset, "day": w.day, "number": w.number, "list": w.list, "moment": moment, "agrees": agrees, "follower": w.follower,
		"pointer": func(v float64) *float64 { return &v },
		"led":     func(st shown, node string) int { return ledBy(st.Status, node) },
		"other":   func(code string) string { return languages[(slices.Index(languages, code)+1)%len(languages)] },
	}
}

// decimal writes a number as the language does.
func (w words) decimal(format string, v float64) string {
	s := fmt.Sprintf(format, v)
	if w.code == "it" {
		s = strings.Replace(s, ".", ",", 1)
	}
	return s
}

// duration writes seconds in the unit that fits; nil is unknown.
func (w words) duration(v *float64) string {
	switch {
	case v == nil:
		return w.t("unknown")
	case *v < 0:
		positive := -*v
		return "−" + w.duration(&positive)
	case *v == 0:
		return "0 s"
	case *v < 0.001:
		return w.decimal("%.2f ms", *v*1000)
	case *v < 0.0995:
		return w.decimal("%.1f ms", *v*1000)
	case *v < 1:
		return w.decimal("%.0f ms", *v*1000)
	case *v < 60:
		return w.decimal("%.1f s", *v)
	case *v < 3600:
		return fmt.Sprintf("%d min %d s", int(*v)/60, int(*v)%60)
	case *v < 86400:
		return fmt.Sprintf("%d h %d min", int(*v)/3600, int(*v)%3600/60)
	}
	return w.t("days_hours", int(*v)/86400, int(*v)%86400/3600)
}

// ago is the time from a stamp to the page's time.
func (w words) ago(now, then string) string {
	a, err1 := time.Parse(time.RFC3339, now)
	b, err2 := time.Parse(time.RFC3339, then)
	if err1 != nil || err2 != nil {
		return w.t("unknown")
	}
	s := max(0, a.Sub(b).Seconds())
	return w.duration(&s)
}

// offset writes a difference of clocks with its sign.
func (w words) offset(v *float64) string {
	if v == nil {
		return w.t("unknown")
	}
	if *v > 0 {
		return "+" + w.duration(v)
	}
	return w.duration(v)
}

// size writes bytes; nil is unknown.
func (w words) size(v *int64) string {
	switch {
	case v == nil:
		return w.t("unknown")
	case *v >= 1<<30:
		return w.decimal("%.1f GiB", float64(*v)/(1<<30))
	}
	return w.decimal("%.0f MiB", float64(*v)/(1<<20))
}

// share writes a part of 1 in per cent; nil is unknown.
func (w words) share(v *float64) string {
	switch {
	case v == nil:
		return w.t("unknown")
	case *v > 0 && *v < 0.01:
		return w.decimal("%.1f %%", *v*100)
	}
	return w.decimal("%.0f %%", *v*100)
}

// day writes a stamp as day and hour in UTC, with how long it is until then;
// nil is unknown.
func (w words) day(now string, v *string) string {
	if v == nil {
		return w.t("unknown")
	}
	at, err1 := time.Parse(time.RFC3339, *v)
	from, err2 := time.Parse(time.RFC3339, now)
	if err1 != nil || err2 != nil {
		return w.t("unknown")
	}
	text := at.UTC().Format("2006-01-02 15:04 UTC")
	left := at.Sub(from)
	if left <= 0 {
		return w.t("expired_on", text)
	}
	return w.t("expires_on", text, int(left.Hours()/24))
}

// number writes a count with its thousands apart; nil is unknown.
func (w words) number(v any) string {
	var n uint64
	switch x := v.(type) {
	case *uint64:
		if x == nil {
			return w.t("unknown")
		}
		n = *x
	case uint64:
		n = x
	case int:
		n = uint64(x)
	}
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// moment writes a stamp with seconds in UTC.
func moment(stamp string) string {
	at, err := time.Parse(time.RFC3339, stamp)
	if err != nil {
		return stamp
	}
	return at.UTC().Format("2006-01-02 15:04:05 UTC")
}

func (w words) list(v []string) string { return strings.Join(v, ", ") }

// agrees tells whether gossip believes of a peer what the link shows.
func agrees(p Peer) bool { return p.Hint == nil || p.Hint.Alive == p.Connected }

func ledBy(st Status, node string) int {
	for _, l := range st.Shards {
		if l.Node != nil && *l.Node == node {
			return l.Count
		}
	}
	return 0
}
