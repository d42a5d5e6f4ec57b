// Package store is central's database: one SQLite file in write-ahead mode,
// its schema brought up by embedded migrations, one writer at a time and any
// number of readers.
//
// It promises that what Write's function did is on disk, whole, when Write
// returns nil, and gone when it returns an error. It doesn't know what stands
// in the tables: each part of central has its own statements, written in SQL
// that PostgreSQL takes too, with ?1 parameters. Personal columns are sealed
// before they come here (see migrations). It owns no goroutine.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // driver "sqlite"
)

//go:embed migrations/sqlite/*.sql
var migrations embed.FS

// ErrNone is returned by Open when there is no database at the path.
var ErrNone = errors.New("there is no database")

// DB is the open database; safe for use by several goroutines.
type DB struct {
	write, read *sql.DB
}

// Querier reads; *sql.DB and *sql.Tx are such.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Create makes an empty database file, readable by its owner only. It refuses
// a path where something stands already.
func Create(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("create database: %w", err)
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("create database: %w", err)
	}
	return f.Close()
}

// Open opens an existing database and migrates it. The error is ErrNone when
// there is no file: a wrong path never becomes an empty store.
func Open(ctx context.Context, path string) (*DB, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open %s: %w", path, ErrNone)
	} else if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	w, err := sql.Open("sqlite", dsn(path, "_txlock=immediate&_pragma=synchronous(FULL)&_pragma=secure_delete(1)"))
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	w.SetMaxOpenConns(1)
	db := &DB{write: w}
	if err := db.migrate(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), w.Close())
	}
	if db.read, err = sql.Open("sqlite", dsn(path, "_pragma=query_only(1)")); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), w.Close())
	}
	db.read.SetMaxOpenConns(8)
	return db, nil
}

func dsn(path, more string) string {
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath()}).String() +
		"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&" + more
}

func (db *DB) migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db.write, files, goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	// A database of a later program is refused, not written to (rule 4).
	have, err := p.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	sources := p.ListSources()
	if last := sources[len(sources)-1].Version; have > last {
		return fmt.Errorf("migrations: the database has version %d, want at most %d: it was written by a later program", have, last)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	return nil
}

// Write runs fn in the one write transaction and commits when it returns nil.
func (db *DB) Write(ctx context.Context, fn func(tx *sql.Tx) error) error {
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := fn(tx); err != nil {
		if rb := tx.Rollback(); rb != nil && !errors.Is(rb, sql.ErrTxDone) {
			err = errors.Join(err, rb)
		}
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// Read returns what reads, each statement on the newest committed state.
func (db *DB) Read() Querier { return db.read }

// Snapshot runs fn with reads that all see one committed state.
func (db *DB) Snapshot(ctx context.Context, fn func(q Querier) error) error {
	tx, err := db.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return fmt.Errorf("begin reading: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	return fn(tx)
}

// Check tells whether the database answers.
func (db *DB) Check(ctx context.Context) error { return db.read.PingContext(ctx) }

// Close closes the file.
func (db *DB) Close() error { return errors.Join(db.read.Close(), db.write.Close()) }

// Fatal tells whether err means that the disk below can't be written or read
// any more: full, failing or damaged. The program then ends, it never retries.
func Fatal(err error) bool {
	var coded interface{ Code() int }
	if !errors.As(err, &coded) {
		return false
	}
	switch coded.Code() & 0xff { // primary result codes of SQLite
	case 8, 10, 11, 13, 14, 26: // READONLY IOERR CORRUPT FULL CANTOPEN NOTADB
		return true
	}
	return false
}
