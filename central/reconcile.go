package central

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strings"
	"time"

	"vedetta/central/keys"
	"vedetta/central/reconcile"
)

// reconcileWithin bounds a pass that was asked for; what it has not come to by
// then the regular passes do.
const reconcileWithin = 10 * time.Minute

// maxNote is the longest explanation of a case, in bytes.
const maxNote = 2000

// standing is how things stand after reconcile's last pass, in /status.
type standing struct {
	Faults   int     `json:"faults"`
	ToKnow   int     `json:"to_know"`
	Watched  int     `json:"watched"`
	LastPass *string `json:"last_pass"`
	LastFull *string `json:"last_full_pass"`
}

func standingOf(s reconcile.Summary) standing {
	return standing{s.Faults, s.ToKnow, s.Watched, stamp(s.LastPass), stamp(s.LastFull)}
}

// stamp is the form of design.md section 7; null for no time.
func stamp(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format("2006-01-02T15:04:05.000Z")
	return &s
}

// report is what POST /reconcile answers; vedettactl prints it.
type report struct {
	Finished *string      `json:"finished"`
	Full     bool         `json:"full"`  // everything stored was looked at
	Whole    bool         `json:"whole"` // all that was durable had arrived here
	Nodes    int          `json:"nodes"`
	Answered int          `json:"nodes_answered"`
	Silent   []string     `json:"nodes_silent"` // their names
	Examined int          `json:"examined"`
	Faults   int          `json:"faults"`
	ToKnow   int          `json:"to_know"`
	Watched  int          `json:"watched"`
	Cases    []caseReport `json:"cases"`
	More     int          `json:"more"` // cases left off
}

type caseReport struct {
	ID       string  `json:"id"`
	Kind     string  `json:"kind"`
	Severity string  `json:"severity"`
	State    string  `json:"state"`
	Owner    string  `json:"owner"`
	Place    string  `json:"place"`
	Customer *string `json:"customer"`
	Expected string  `json:"expected"`
	Found    string  `json:"found"`
	Since    *string `json:"since"`
	Sentence string  `json:"sentence"`
	Advice   string  `json:"advice"`
}

func reportOf(r reconcile.Report) report {
	out := report{stamp(r.Finished), r.Full, r.Whole, r.Nodes, r.Answered, append([]string{}, r.Silent...), r.Examined, r.Summary.Faults, r.Summary.ToKnow, r.Summary.Watched, []caseReport{}, r.More}
	for _, c := range r.Cases {
		v := caseReport{ID: c.ID, Kind: string(c.Kind), Severity: string(c.Kind.Severity()), State: string(c.State), Owner: string(c.Kind.Owner()), Place: c.Place,
			Expected: c.Expected, Found: c.Found, Since: stamp(c.Since), Sentence: c.Kind.Sentence(), Advice: c.Kind.Advice()}
		if c.Customer != "" {
			v.Customer = &c.Customer
		}
		out.Cases = append(out.Cases, v)
	}
	return out
}

// runReconcile makes one full pass and answers with what stands.
func (h *health) runReconcile(w http.ResponseWriter, r *http.Request) {
	end := time.Now().Add(reconcileWithin)
	control := http.NewResponseController(w)
	if err := errors.Join(control.SetReadDeadline(end), control.SetWriteDeadline(end.Add(time.Minute))); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	rep, err := h.checker.Pass(r.Context(), true)
	switch {
	case errors.Is(err, keys.ErrMissing):
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"error": "central has no keys, for no node has answered it since its start; nothing was compared"})
	case err != nil:
		writeJSON(w, http.StatusInternalServerError, map[string]string{"error": err.Error()})
	default:
		writeJSON(w, http.StatusOK, reportOf(rep))
	}
}

// explainCase takes {"case","note"}.
func (h *health) explainCase(w http.ResponseWriter, r *http.Request) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" { // no form of a strange page is taken
		writeJSON(w, http.StatusUnsupportedMediaType, map[string]string{"error": "want Content-Type: application/json"})
		return
	}
	var in struct{ Case, Note string }
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4*maxNote))
	if err := d.Decode(&in); err != nil || in.Case == "" || strings.TrimSpace(in.Note) == "" || len(in.Note) > maxNote {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": `want {"case": id, "note": why it is so, at most 2000 bytes}`})
		return
	}
	err := h.checker.Explain(r.Context(), time.Now(), in.Case, in.Note)
	switch {
	case errors.Is(err, reconcile.ErrNoCase):
		writeJSON(w, http.StatusNotFound, map[string]string{"error": "case: " + err.Error()})
	case err != nil:
		writeJSON(w, http.StatusInternalServerError, map[string]string{"error": err.Error()})
	default:
		writeJSON(w, http.StatusOK, map[string]string{"case": in.Case, "state": string(reconcile.Explained)})
	}
}
