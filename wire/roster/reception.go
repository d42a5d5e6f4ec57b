package roster

// Values of a panel's reception settings. The empty string is the first of each.
const (
	AckMajority = "majority" // durable at a majority of sites
	AckLocal    = "local"    // flushed at the site that took it; waits for no other (rule 8)
	AckAll      = "all"      // durable at every configured site

	AnswerAuto     = "auto"     // a binary CRC is answered in binary, all others in the standard's form
	AnswerReceived = "received" // CRC and length exactly as the panel writes them, its CR counted too
	AnswerStandard = "standard" // four hex digits, always

	TokenDUH = "duh" // unknown tokens are stored and answered DUH
	TokenACK = "ack" // unknown tokens are stored and acknowledged

	TextAuto        = "auto"         // UTF-8 where the bytes are, else Windows-1252
	TextWindows1252 = "windows-1252" // also where the bytes happen to be UTF-8
	TextUTF8        = "utf-8"        // what is none shows as replacement characters
)

// DefaultDuplicateSeconds is within which the same message again is a copy.
const DefaultDuplicateSeconds = 600

// Reception is how a panel's messages are judged and answered, where it isn't like
// everybody's, and the keys beside the current one. Its zero value is the default.
type Reception struct {
	NoWindow         bool   `json:"no_window,omitempty"`         // any panel time is taken
	BehindSeconds    int    `json:"behind_seconds,omitempty"`    // how far the panel's clock may lie behind ours; 0: the node's 40 s
	AheadSeconds     int    `json:"ahead_seconds,omitempty"`     // or ahead; 0: the node's 20 s
	LocalTime        bool   `json:"local_time,omitempty"`        // the panel writes the time of its time zone (Egardia), not UTC
	DuplicateSeconds int    `json:"duplicate_seconds,omitempty"` // 0: DefaultDuplicateSeconds
	Answer           string `json:"answer,omitempty"`
	AllowPlain       bool   `json:"allow_plain,omitempty"` // plain messages are taken though there is a key
	Ack              string `json:"ack,omitempty"`
	UnknownToken     string `json:"unknown_token,omitempty"`
	StrictAccount    bool   `json:"strict_account,omitempty"` // refuse an account that is not hex, not in the header, or another one in the block
	OpaqueAccount    bool   `json:"opaque_account,omitempty"` // the account need not be hex (Focus FC-7688: foc7688)
	Text             string `json:"text,omitempty"`

	// Key ring: next is taken beside the current key, previous until its time.
	NextKey         []byte `json:"next_key,omitempty"`
	PreviousKey     []byte `json:"previous_key,omitempty"`
	PreviousUntilMs int64  `json:"previous_until,omitempty"` // Unix milliseconds
}

// Settings are the panel's reception settings, the defaults when it has none.
func (p *Panel) Settings() Reception {
	if p.Reception == nil {
		return Reception{}
	}
	return *p.Reception
}

// Keyed tells whether the panel has a key that its messages must use.
func (p *Panel) Keyed() bool { return len(p.Key) > 0 }
