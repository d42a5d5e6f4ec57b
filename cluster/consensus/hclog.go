package consensus

import (
	"bytes"
	"context"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// newLogger passes what the libraries say, warnings and errors only, to our
// log one level lower: their warnings are elections, not our failures.
func newLogger(log *slog.Logger, name string) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{
		Name: name, Level: hclog.Warn, Output: lines{log}, DisableTime: true,
	})
}

// lines takes hclog's formatted lines, one per Write.
type lines struct{ log *slog.Logger }

func (l lines) Write(p []byte) (int, error) {
	level := slog.LevelDebug
	text, isError := bytes.CutPrefix(p, []byte("[ERROR]"))
	if isError {
		level = slog.LevelInfo
	} else {
		text = bytes.TrimPrefix(p, []byte("[WARN]"))
	}
	l.log.Log(context.Background(), level, string(bytes.TrimSpace(text)))
	return len(p), nil
}
