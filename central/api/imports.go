package api

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"time"

	"vedetta/central/account"
	"vedetta/central/panelimport"
)

// importWithin is how long a slow line may take to bring a file, and the import
// to be done, beyond what other requests have.
const importWithin = 5 * time.Minute

// csvTypes are what browsers and tools call such a file.
func csvTypes() []string {
	return []string{"text/csv", "text/plain", "application/vnd.ms-excel", "application/octet-stream"}
}

// importPanels answers a file of panels: with dry_run what it would do, without
// what it did. A file with faults changes nothing.
func (a *API) importPanels(w http.ResponseWriter, r *http.Request, c account.Caller) error {
	dry, update := false, false
	for name, values := range r.URL.Query() {
		to := &dry
		switch name {
		case "dry_run":
		case "update":
			to = &update
		default:
			return badParameter{strconv.Quote(clip(name)), "want only dry_run, update"}
		}
		var err error
		if *to, err = strconv.ParseBool(values[0]); err != nil {
			return badParameter{name, "want true or false"}
		}
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || !slices.Contains(csvTypes(), media) || r.Header.Get("Content-Encoding") != "" {
		return badMedia{csvTypes()[:1]}
	}
	control := http.NewResponseController(w)
	late := time.Now().Add(importWithin)
	if err := errors.Join(control.SetReadDeadline(late), control.SetWriteDeadline(late)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	file, err := io.ReadAll(http.MaxBytesReader(w, r.Body, panelimport.MaxFile))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return err
	} else if err != nil {
		return badBody{"it ended early"}
	}
	do := a.imports.Import
	if dry {
		do = a.imports.Try
	}
	report, err := do(r.Context(), time.Now(), c.Customer, file, update)
	if err != nil {
		return err
	}
	if report.ID != nil {
		report.InForce = a.inForce(r.Context(), c.Customer, report.Revision)
		w.Header().Set("Location", "/api/v1/imports/"+*report.ID)
	}
	if !dry && len(report.Faults) > 0 {
		trouble{Status: http.StatusUnprocessableEntity, Detail: "nothing was imported: some rows can't be taken as they are", Report: &report}.write(w)
		return nil
	}
	return answer(w, report)
}

func (a *API) oneImport(w http.ResponseWriter, r *http.Request, c account.Caller) error {
	report, err := a.imports.Report(r.Context(), c.Customer, r.PathValue("id"))
	if err != nil {
		return err
	}
	return answer(w, report)
}

func (a *API) importReport(w http.ResponseWriter, r *http.Request, c account.Caller) error {
	report, err := a.imports.Report(r.Context(), c.Customer, r.PathValue("id"))
	if err != nil {
		return err
	}
	return answerCSV(w, "import.csv", report.CSV())
}

func (a *API) importTemplate(w http.ResponseWriter, _ *http.Request, _ account.Caller) error {
	return answerCSV(w, "panels.csv", panelimport.Template())
}

func answerCSV(w http.ResponseWriter, name string, b []byte) error {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	w.Write(b) //nolint:errcheck // the client is gone
	return nil
}
