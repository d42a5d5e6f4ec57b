package premises

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Fault is one field of a body that can't be taken. Code is a stable word that
// pages translate; Expected says the same in English. Neither holds the value.
type Fault struct {
	Field    string `json:"field"` // as in the body: zones[2].name
	Code     string `json:"code"`
	Expected string `json:"expected"`
}

// Faults are all that is wrong with a body.
type Faults []Fault

// Error names every field.
func (f Faults) Error() string {
	parts := make([]string, len(f))
	for i, v := range f {
		parts[i] = v.Field + ": " + v.Expected
	}
	return strings.Join(parts, "; ")
}

// Expected says what a code means, with % for a number or list; also for
// warnings. Pages have a text of their own for each.
var expected = map[string]string{
	"required":            "a value: it must not be absent or empty",
	"type":                "%s",
	"unknown_field":       "no such field; known are %s",
	"twice":               "once only",
	"read_only":           "left out: it is set by us",
	"length":              "at most %d characters",
	"too_many":            "at most %d",
	"characters":          "text without control characters, line breaks and invisible marks of direction",
	"account_form":        "3 to 16 hex digits; anything else only with reception.opaque_account",
	"account_opaque":      "1 to 32 letters, digits, - _ and .",
	"strict_or_opaque":    "false: strict_account is for accounts that are hex",
	"key_same":            "another key than the current one",
	"no_next_key":         "a next key to promote: the panel has none",
	"account_taken":       "another account, prefix or receiver: a panel that has these, or could be taken for this one, exists already",
	"number_form":         "1 to 6 hex digits",
	"key_form":            "32, 48 or 64 hex digits, or 16, 24 or 32 bytes of text; hex: or text: before it decides",
	"listener_form":       "1 to 32 of a-z, 0-9, - and _",
	"range":               "%d to %d",
	"time_zone":           "an IANA name such as Europe/Rome",
	"zone_form":           "1 to 8 letters and digits",
	"zone_twice":          "a number that no other zone of the panel has; leading zeros make no difference",
	"no_address":          "at least one of email, phone, webhook and push",
	"email_form":          "an address such as anna@example.org",
	"phone_form":          "E.164: + and 7 to 15 digits, such as +390575123456",
	"language":            "it or en",
	"url_form":            "an https URL without user, password and fragment",
	"url_private":         "a host on the Internet: private, loopback and reserved addresses are not called",
	"secret_form":         "whsec_ and 24 to 64 bytes in base64 (Standard Webhooks)",
	"p256dh_form":         "a point of P-256, 65 bytes in base64url",
	"auth_form":           "16 bytes in base64url",
	"no_panel":            "the id of a panel of yours",
	"no_customer":         "the id of a customer",
	"no_panel_of":         "the id of a panel of that customer",
	"twice_in_file":       "an account, prefix or receiver of its own: the panel of line %d has these, or could be taken for this one",
	"import_differs":      "what the panel has already, or the update of existing panels switched on; it differs in: %s",
	"column_unknown":      "one of the columns %s; a name that begins with # is passed over",
	"column_twice":        "a column once",
	"column_missing":      "the columns name and account, in the first line",
	"row_length":          "%d values, as many as there are columns: the line has %d",
	"row_quote":           "quotes that are closed, and doubled within a value",
	"number":              "a number of seconds",
	"zones_form":          "number=name, several separated by |",
	"file_empty":          "a first line with the columns' names and a line per panel",
	"rows_many":           "at most %d rows: a customer has no more panels",
	"row_long":            "a row of at most %d bytes",
	"columns_many":        "at most %d columns",
	"faults_many":         "these %d faults corrected first: what comes after them was not looked at",
	"held_unopened":       "the panel's own key: none of the encrypted held messages (%d) opens with this one",
	"held_encrypted":      "the panel's key: all held messages (%d) are encrypted",
	"no_contact":          "the id of a contact of yours",
	"one_of":              "one of %s",
	"code_form":           "a SIA code of two letters, a Contact ID code of three digits, or one of our own",
	"code_never":          "a code that can occur with the categories and qualifiers of the rule",
	"time_form":           "HH:MM, from 00:00 to 23:59 (to: 24:00); from and to both or neither",
	"time_empty":          "another time than from; leave both out for the whole day",
	"no_steps":            "at least one step",
	"step_order":          "at least the time of the step before",
	"channel_unsupported": "email, webpush or webhook; the others are not sent yet",
	"nobody_reached":      "a channel that at least one of the step's contacts has an address for",
	"path_sign":           "at least one of transport, prefix and receiver, by which the alternative path is known",
	"path_needed":         "an alternative path: %s has two",
	"path_single":         "null: %s has one path",
	"profile":             "a profile of EN 50136, SP1 to SP6 or DP1 to DP4, or null",
	"key_reused":          "the same body as with this key before, or another key",
	"too_large":           "less: contacts and rules together, or the zones of some hundred panels, have at most %d MB",

	// Warnings: legal, and perhaps not what was meant.
	"ack_local":       "majority: with local an alarm is acknowledged that one datacenter alone has, and may be lost with it",
	"plain_allowed":   "false: whoever knows the account can send messages without the key",
	"window_off":      "true: without a time window an old message can be sent again by whoever kept it",
	"no_panels":       "there is no panel yet: the rule matches nothing",
	"code_unknown":    "the code is in neither table: it comes as category other",
	"zone_unnamed":    "none of the panels has a zone of this number in its list",
	"contact_reached": "the contact has no address for the step's channels",
	"phone_unused":    "nothing is sent to phones yet",
	"push_ended":      "a device to subscribe again: %s said at %s UTC that its subscription has ended, and nothing is sent there any more",
	"rule_off":        "the rule is switched off: it matches nothing",
	"key_absent":      "the panel has no key: its messages can be read and forged on the way",
	"not_supervised":  "poll_seconds is 0: nobody is told when the panel falls silent",
}

// FaultCodes lists every code of faults and warnings, for catalogues of texts.
func FaultCodes() []string {
	var codes []string
	for c := range expected {
		codes = append(codes, c)
	}
	slices.Sort(codes)
	return codes
}

// Expected is the English text of a code.
func Expected(code string, args ...any) string { return fmt.Sprintf(expected[code], args...) }

// maxFaults bounds what is told of one body: a body may hold half a million.
const maxFaults = 100

// Add notes one more; args are what the code's text needs. Beyond the first
// hundred nothing more is noted.
func (f *Faults) Add(field, code string, args ...any) {
	if len(*f) >= maxFaults {
		return
	}
	*f = append(*f, Fault{field, code, Expected(code, args...)})
}

func (f Faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

// Errors that callers decide by, besides Faults.
var (
	// ErrNone says that the customer has no such panel, contact or rule.
	ErrNone = errors.New("there is none with this id")
	// ErrTag says that somebody else has changed it since it was read.
	ErrTag = errors.New("it was changed by somebody else in the meantime")
	// ErrTaken says that another panel has, or could be taken for, the listener,
	// prefix, receiver and account.
	ErrTaken = errors.New("a panel with this account exists already")
)

// InUse refuses a change that would leave rules without effect.
type InUse struct{ Rules []string }

// Error names the rules by id.
func (e InUse) Error() string {
	return "rules depend on it: " + strings.Join(e.Rules, ", ")
}
