package portal

import (
	"strings"
	"testing"
	"time"

	"vedetta/central/premises"
	"vedetta/wire/roster"
)

func lang(t *testing.T, code string) Language {
	t.Helper()
	w, err := LoadWords()
	if err != nil {
		t.Fatal(err)
	}
	return w.In(code)
}

// Numbers and names of what premises expects are told in the page's words.
func TestFaultTexts(t *testing.T) {
	for _, c := range []struct {
		code, field string
		args        []any
		it          string
	}{
		{"range", "poll_seconds", []any{0, 2764800}, "un numero da 0 a 2764800"},
		{"range", "steps[1].after_seconds", []any{0, 169200}, "un numero da 0 a 2820"}, // people enter minutes
		{"length", "name", []any{100}, "al massimo 100 caratteri"},
		{"account_form", "account", nil, "da 3 a 16 cifre esadecimali (0-9, A-F)"},
		{"too_large", "", []any{2}, "meno dati: contatti e regole insieme, o le zone di qualche centinaio di centrali, possono occupare al massimo 2 MB"},
		{"import_differs", "account", []any{"name, zones"}, "i dati che la centrale ha già, oppure l’aggiornamento delle centrali esistenti; differisce in: name, zones"},
		{"row_length", "", []any{7, 3}, "7 valori, quante sono le colonne: la riga ne ha 3"},
		{"held_unopened", "key", []any{1}, "la chiave della centrale: 1 messaggio cifrato trattenuto, e non si apre con questa"},
		{"held_unopened", "key", []any{12}, "la chiave della centrale: nessuno dei 12 messaggi cifrati trattenuti si apre con questa"},
		{"push_ended", "push", []any{"web.push.apple.com", "2026-11-24 20:10"},
			"Un dispositivo (Safari, iPhone, iPad) ha revocato le notifiche il 24 nov 2026, 20:10 UTC: non gli si invia più nulla. Se serve ancora, iscrivilo di nuovo."},
	} {
		v := premises.Fault{Field: c.field, Code: c.code, Expected: premises.Expected(c.code, c.args...)}
		if got := faultText(lang(t, "it"), v); got != c.it {
			t.Errorf("%s %s: %q\nwant %q", c.field, c.code, got, c.it)
		}
	}
}

// Rules in plain words, in both languages.
func TestSummaries(t *testing.T) {
	r := roster.Rule{Categories: []string{"burglary", "holdup"}, From: "22:00", To: "06:00", Enabled: true, Steps: []roster.Step{
		{Contacts: []string{"a"}, Channels: []string{"email", "webpush"}}, {Contacts: []string{"b"}, Channels: []string{"email"}, AfterSeconds: 330, Repeat: 2}}}
	all := roster.Rule{Qualifiers: []string{"new", "restore"}, Days: []int{1, 2, 3, 4, 5, 7}, Panels: []string{"p", "gone"}, Zones: []string{"3"}, Steps: []roster.Step{{}}}
	for _, c := range []struct {
		code string
		rule roster.Rule
		want string
	}{
		{"it", r, "Rapina e furto, ogni giorno 22:00–06:00: e-mail e notifica push a Anna; dopo 5 minuti e 30 secondi e-mail a Marco (ripetuto 2 volte, ogni 5 minuti)."},
		{"en", r, "Hold-up and burglary, every day 22:00–06:00: e-mail and push to Anna; after 5 minutes and 30 seconds e-mail to Marco (repeated 2 times, every 5 minutes)."},
		{"it", all, "Ogni evento, anche il ripristino, da Casa e Centrale eliminata, solo zona 3, da lunedì a venerdì e domenica: ogni canale a tutti i contatti."},
		{"en", roster.Rule{}, "Every event, every day: nobody."},
	} {
		v := &viewer{lang(t, c.code), premises.Names{Panels: map[string]roster.Panel{"p": {Name: "Casa"}}, Contacts: map[string]string{"a": "Anna", "b": "Marco"}}, map[string]*time.Location{}}
		if got := v.summary(c.rule); got != c.want {
			t.Errorf("%s: %q\nwant %q", c.code, got, c.want)
		}
	}
}

func TestSpans(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0 secondi", time.Minute: "1 minuto", 90 * time.Minute: "1 ora e 30 minuti",
		25*time.Hour + 2*time.Minute + time.Second: "1 giorno, 1 ora, 2 minuti e 1 secondo"} {
		if got := lang(t, "it").Span(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestEmailParts(t *testing.T) {
	for address, want := range map[string]string{"anna.rossi@vedetta.example": "anna .rossi @vedetta .example", "x": "x", "": "", ".a@b": ".a @b"} {
		if got := strings.Join(emailParts(address), " "); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}
