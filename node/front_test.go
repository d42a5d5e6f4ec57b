package node

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"vedetta/node/strangers"
)

// TestPlacesFitIntoOpenFiles: more connections than files are never taken, and it is
// said.
func TestPlacesFitIntoOpenFiles(t *testing.T) {
	for _, row := range []struct {
		files        uint64
		wanted, want int
	}{{100_000, 50_000, 50_000}, {20_000, 50_000, 18_976}, {1024, 50_000, 512}, {1 << 63, 50_000, 50_000}, {20_000, 100, 100}} {
		var log bytes.Buffer
		got := places(strangers.Config{Connections: row.wanted}, row.files, slog.New(slog.NewTextHandler(&log, nil))).Connections
		if got != row.want || (got < row.wanted) != strings.Contains(log.String(), "LimitNOFILE") {
			t.Errorf("%d files: %d connections, want %d; log %s", row.files, got, row.want, &log)
		}
	}
}
