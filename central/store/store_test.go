package store

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func open(t *testing.T) (*DB, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sub", "central.db")
	if err := Create(path); err != nil {
		t.Fatal(err)
	}
	db, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db, path
}

func TestOpenNeverCreates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "central.db")
	if _, err := Open(t.Context(), path); !errors.Is(err, ErrNone) {
		t.Fatalf("open without a file: %v, want ErrNone", err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Fatal("open made a file")
	}
}

func TestCreateRefusesExisting(t *testing.T) {
	_, path := open(t)
	if err := Create(path); err == nil {
		t.Fatal("create over an existing database succeeded")
	}
	if fi, _ := os.Stat(path); fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", fi.Mode())
	}
}

func TestWriteIsWhole(t *testing.T) {
	db, _ := open(t)
	ctx := t.Context()
	stop := errors.New("stop")
	insert := func(then error) error {
		return db.Write(ctx, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, `INSERT INTO customers(id, language, created_ms) VALUES(?1, 'it', 1)`, "c"); err != nil {
				return err
			}
			return then
		})
	}
	if err := insert(stop); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if err := insert(nil); err != nil {
		t.Fatalf("after a rolled back write: %v", err)
	}
	var n int
	if err := db.Read().QueryRowContext(ctx, `SELECT count(*) FROM customers`).Scan(&n); err != nil || n != 1 {
		t.Fatalf("%d customers, %v", n, err)
	}
}

func TestPragmas(t *testing.T) {
	db, _ := open(t)
	for _, q := range []*sql.DB{db.write, db.read} {
		var mode string
		var fk int
		if err := q.QueryRow(`PRAGMA journal_mode`).Scan(&mode); err != nil || mode != "wal" {
			t.Errorf("journal_mode %q %v", mode, err)
		}
		if err := q.QueryRow(`PRAGMA foreign_keys`).Scan(&fk); err != nil || fk != 1 {
			t.Errorf("foreign_keys %d %v", fk, err)
		}
	}
	if _, err := db.read.Exec(`DELETE FROM customers`); err == nil {
		t.Error("the reading handle can write")
	}
}

func TestLaterVersionIsRefused(t *testing.T) {
	db, path := open(t)
	if _, err := db.write.Exec(`INSERT INTO goose_db_version(version_id, is_applied) VALUES(99, 1)`); err != nil {
		t.Fatal(err)
	}
	db.Close()
	if _, err := Open(context.Background(), path); err == nil || !strings.Contains(err.Error(), "later program") {
		t.Fatalf("open of a later version: %v", err)
	}
}

func TestFatalKinds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), path)
	if err == nil || !Fatal(err) {
		t.Fatalf("a damaged file: %v, want a fatal error", err)
	}
	if Fatal(sql.ErrNoRows) {
		t.Error("no rows is fatal")
	}
}
