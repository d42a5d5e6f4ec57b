package catcher

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"
)

// keepAtMost bounds each list; the oldest go first.
const keepAtMost = 200_000

// Time is RFC 3339 in UTC with milliseconds.
type Time time.Time

// MarshalText writes the form.
func (t Time) MarshalText() ([]byte, error) {
	return []byte(time.Time(t).UTC().Format("2006-01-02T15:04:05.000Z")), nil
}

// UnmarshalText reads it.
func (t *Time) UnmarshalText(b []byte) error {
	at, err := time.Parse(time.RFC3339, string(b))
	*t = Time(at)
	return err
}

// Message is one mail.
type Message struct {
	ID       string            `json:"id"`
	To       string            `json:"to"` // recipients of the envelope, with commas between
	Subject  string            `json:"subject"`
	Text     string            `json:"text"`
	HTML     string            `json:"html"`
	Headers  map[string]string `json:"headers"` // decoded; names as written in Go's canonical form
	Received Time              `json:"received"`
}

// Webhook is one call.
type Webhook struct {
	ID       string            `json:"id"`      // webhook-id
	Headers  map[string]string `json:"headers"` // names in lower case
	Body     string            `json:"body"`
	Received Time              `json:"received"`
}

// line is one line of the file.
type line struct {
	Version int      `json:"v"`
	Kind    string   `json:"kind"`
	Message *Message `json:"message,omitempty"`
	Webhook *Webhook `json:"webhook,omitempty"`
	Push    *Push    `json:"push,omitempty"`
	Device  *device  `json:"device,omitempty"`
	Clear   string   `json:"clear,omitempty"` // messages, webhooks, pushes or all
}

// shelf keeps records in memory and, when it has a file, there first.
type shelf struct {
	mu       sync.Mutex
	file     *os.File // nil: memory only
	next     int
	messages []Message
	webhooks []Webhook
	pushes   []Push
	devices  map[string]device // what browsers are; never cleared
}

func openShelf(path string) (*shelf, error) {
	s := &shelf{next: 1, devices: map[string]device{}}
	if path == "" {
		return s, nil
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("catcher: %w", err)
	}
	if err := s.load(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("catcher: %s: %w", path, err)
	}
	s.file = f
	return s, nil
}

func (s *shelf) load(f *os.File) error {
	b, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	whole := bytes.LastIndexByte(b, '\n') + 1
	for i, one := range bytes.Split(b[:whole], []byte("\n")) {
		if len(one) == 0 {
			continue
		}
		var l line
		if err := json.Unmarshal(one, &l); err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
		if l.Version != 1 {
			return fmt.Errorf("line %d: version %d, want 1", i+1, l.Version)
		}
		s.apply(l)
	}
	if err := f.Truncate(int64(whole)); err != nil { // what a crash left of the last line
		return err
	}
	_, err = f.Seek(int64(whole), io.SeekStart)
	return err
}

func (s *shelf) apply(l line) {
	switch l.Kind {
	case "message":
		s.messages = bounded(append(s.messages, *l.Message))
		if n, err := strconv.Atoi(l.Message.ID); err == nil {
			s.next = max(s.next, n+1)
		}
	case "webhook":
		s.webhooks = bounded(append(s.webhooks, *l.Webhook))
	case "push":
		s.pushes = bounded(append(s.pushes, *l.Push))
	case "device":
		s.devices[l.Device.ID] = *l.Device
	case "clear":
		if l.Clear == "messages" || l.Clear == "all" {
			s.messages = nil
		}
		if l.Clear == "webhooks" || l.Clear == "all" {
			s.webhooks = nil
		}
		if l.Clear == "pushes" || l.Clear == "all" {
			s.pushes = nil
		}
	}
}

func bounded[T any](list []T) []T {
	if len(list) > keepAtMost {
		return slices.Clone(list[len(list)-keepAtMost*9/10:])
	}
	return list
}

// add writes l to the file, then to memory. Nothing is kept when it fails.
func (s *shelf) add(l line) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.Version = 1
	if l.Message != nil {
		l.Message.ID = strconv.Itoa(s.next)
	}
	if l.Push != nil && l.Push.ID == "" {
		l.Push.ID = strconv.Itoa(len(s.pushes) + 1) // its payload names none
	}
	if s.file != nil {
		b, err := json.Marshal(l)
		if err != nil {
			return fmt.Errorf("catcher: %w", err)
		}
		if _, err := s.file.Write(append(b, '\n')); err != nil {
			return fmt.Errorf("catcher: %w", err)
		}
	}
	s.apply(l)
	return nil
}

// list is all that is kept; the lists are never null.
func (s *shelf) list() ([]Message, []Webhook, []Push) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Message{}, s.messages...), append([]Webhook{}, s.webhooks...), append([]Push{}, s.pushes...)
}

func (s *shelf) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file == nil {
		return nil
	}
	return errors.Join(s.file.Sync(), s.file.Close())
}
