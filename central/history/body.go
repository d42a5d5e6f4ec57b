// Package history is what happened, as customers see it: events and their
// notifications. It owns the read models' sealed form, writes them for ingest
// within ingest's transaction, and answers the pages and the API, newest first,
// one customer at a time.
//
// Nothing but ids, times, states and counts stands outside the seal. What
// changed is numbered per change, so that followers (the live page, the API's
// stream) continue where they were; Hub only says when to look. No goroutines.
package history

// EventBody is what an event's row holds sealed (purpose "event:" and its id).
type EventBody struct {
	Account   string  `json:"account"`
	Prefix    *string `json:"prefix"`
	Receiver  *string `json:"receiver"`
	Panel     string  `json:"panel"` // roster id
	Standard  string  `json:"standard"`
	Code      string  `json:"code"`
	Qualifier string  `json:"qualifier"`
	Category  string  `json:"category"`
	Partition string  `json:"partition,omitempty"`
	Zone      string  `json:"zone,omitempty"`
	ZoneName  string  `json:"zone_name,omitempty"` // as the owner called it when the event came
	User      string  `json:"user,omitempty"`
	Text      string  `json:"text,omitempty"`
	PanelMs   int64   `json:"panel_time,omitempty"` // Unix milliseconds, 0 unknown
	Late      bool    `json:"late,omitempty"`

	Extended []string `json:"extended,omitempty"` // as decisions have it: a letter and its text
}

// NotificationBody is what a notification's row holds sealed (purpose
// "notification:" and its id).
type NotificationBody struct {
	Contact      string    `json:"contact"`
	Channel      string    `json:"channel"`
	Address      string    `json:"address"` // id in the roster
	Rule         string    `json:"rule"`
	Step         int       `json:"step"`
	Repetition   int       `json:"repetition"`
	DueMs        int64     `json:"due"`
	Urgent       bool      `json:"urgent"`
	Reason       string    `json:"reason,omitempty"`
	ProviderRef  string    `json:"ref,omitempty"`
	HandedOverMs int64     `json:"handed_over,omitempty"`
	DeliveredMs  int64     `json:"delivered,omitempty"`
	Attempts     []Attempt `json:"attempts,omitempty"` // settled ones, in the order of settling
}

// Attempt is one settled attempt.
type Attempt struct {
	Number       int    `json:"number"`
	State        string `json:"state"`
	Reason       string `json:"reason,omitempty"`
	ProviderRef  string `json:"ref,omitempty"`
	HandedOverMs int64  `json:"handed_over,omitempty"`
	Double       bool   `json:"double,omitempty"` // another attempt stands beside it (rule 18)
}
