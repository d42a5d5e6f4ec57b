package watch

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	wire "vedetta/wire/watch"
)

// mostTold is how many attempts are remembered as told.
const mostTold = 10_000

// attempt prints one attempt, or that its event is known now.
func (w *watch) attempt(line []byte) error {
	var a wire.Attempt
	if err := json.Unmarshal(line, &a); err != nil {
		return err
	}
	settled, told := w.told[a.ID]
	if told && (settled || a.EventID == nil) {
		return nil // a stream that began anew tells it again
	}
	if len(w.told) >= mostTold {
		clear(w.told) // at worst, something is told twice
	}
	w.told[a.ID] = a.EventID != nil
	if w.JSON {
		_, err := fmt.Fprintf(w.out, "%s\n", line)
		return err
	}
	var b strings.Builder
	if told {
		w.event(&b, a)
	} else {
		w.whole(&b, a)
	}
	_, err := fmt.Fprint(w.out, harmless(b.String()))
	return err
}

// harmless keeps what a panel, or who pretends to be one, says from steering the
// terminal: what can't be printed stands as an escape.
func harmless(s string) string {
	var b strings.Builder
	for _, c := range s {
		if c == '\n' || unicode.IsPrint(c) {
			b.WriteRune(c)
		} else {
			quoted := strconv.QuoteRune(c)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
	}
	return b.String()
}

func clock(a wire.Attempt) string { return time.Time(a.Time).Local().Format("15:04:05") }

func (w *watch) sentences(a wire.Attempt) (what, do string) {
	if w.Language == "it" {
		return a.WhatIt, a.DoIt
	}
	return a.What, a.Do
}

func (w *watch) event(b *strings.Builder, a wire.Attempt) {
	what, do := w.sentences(a)
	fmt.Fprintf(b, "%s  event %s\n", clock(a), *a.EventID)
	if a.Copy != nil && *a.Copy {
		fmt.Fprintf(b, "          %s\n          %s\n", what, do)
	}
}

// notes say why an attempt is shown that isn't known to be the panel's.
var notes = map[string]string{
	wire.Near:    "no known panel's; from your or the panel's address, and its account resembles this one's",
	wire.Opened:  "no known panel's, but this panel's key opens it",
	wire.Address: "no known panel's; from your or the panel's address, and what it says is not shown",
}

func (w *watch) whole(b *strings.Builder, a wire.Attempt) {
	what, do := w.sentences(a)
	answer := strings.ToUpper(a.Answer)
	if a.Answer == "silence" {
		answer = "no answer"
	}
	fmt.Fprintf(b, "\n%s  %s, %s from %s: %s (%s)\n", clock(a), a.Site, a.Transport, a.Source, answer, a.Reason)
	row := func(name, value string) {
		if value != "" {
			fmt.Fprintf(b, "  %-8s%s\n", name, strings.ReplaceAll(value, "\n", `\n`)) // a row stays one
		}
	}
	row("why", what)
	row("do", do)
	row("note", notes[a.Relation])
	if d := a.Decoded; d != nil {
		row("message", decoded(d))
		if d.Data != nil {
			row("data", *d.Data)
		}
		row("quirks", strings.Join(d.Quirks, ", "))
	}
	frame := a.Frame.Text
	if len(a.Frame.Hex)/2 < a.Frame.Length {
		frame += fmt.Sprintf(" ... (%d bytes)", a.Frame.Length)
	}
	row("frame", frame)
	if a.Answered != nil {
		row("answer", a.Answered.Text)
	}
	if a.EventID != nil {
		row("event", *a.EventID)
	}
}

// decoded is a header in one line.
func decoded(d *wire.Decoded) string {
	form := "plain"
	if d.Encrypted {
		form = "encrypted"
	}
	parts := []string{d.Token, form, "sequence " + d.Seq}
	for _, f := range []struct {
		name  string
		value *string
	}{{"account ", d.Account}, {"L", d.Prefix}, {"R", d.Receiver}} {
		if f.value != nil {
			parts = append(parts, f.name+*f.value)
		}
	}
	if d.Timestamp != nil {
		parts = append(parts, "its clock "+time.Time(*d.Timestamp).UTC().Format("2006-01-02 15:04:05 UTC"))
	}
	if d.CRC != "ok" || d.Length != "ok" {
		parts = append(parts, "CRC "+d.CRC+" ("+d.CRCForm+"), length "+d.Length)
	}
	return strings.Join(parts, ", ")
}

// nodes says which datacenters are not seen.
func (w *watch) nodes(list []node) {
	var watching, not []string
	for _, n := range list {
		name := n.Site
		if name == "" {
			name = n.Node
		}
		if n.Watching {
			watching = append(watching, name)
		} else {
			not = append(not, name)
		}
	}
	if w.JSON || len(watching) == 0 && !w.Once {
		return // at first none is
	}
	line := "watching: " + strings.Join(watching, ", ")
	if len(not) > 0 {
		line += "; not reached, what comes there is not seen: " + strings.Join(not, ", ")
	}
	fmt.Fprintln(w.errOut, line)
}
