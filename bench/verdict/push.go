package verdict

import (
	"crypto/sha256"
	"encoding/base64"
)

// pushes compares the pushes that arrived for one alarm with its notifications
// by Web Push. A push service shows one message per topic, so a second push is
// none to the person as long as topic and tag are the notification's own (rule 10).
func (j *judge) pushes(text string, planned []Notification) {
	handed := j.handed["webpush"+text]
	known := map[string]bool{}
	for _, n := range planned {
		if n.Channel == "webpush" {
			known[n.ID] = true
		}
	}
	for _, p := range handed {
		switch {
		case !known[p.ID]:
			j.breach("alarm %q: a push arrived for notification %q, which was not planned", text, p.ID)
		case p.Topic != topic(p.ID):
			j.breach("alarm %q: a push has topic %q, want %q", text, p.Topic, topic(p.ID))
		case p.Tag != p.Topic:
			j.breach("alarm %q: a push has tag %q beside topic %q", text, p.Tag, p.Topic)
		}
	}
}

// topic is the judge's own reading of rule 10.
func topic(notification string) string {
	sum := sha256.Sum256([]byte(notification))
	return base64.RawURLEncoding.EncodeToString(sum[:24])
}
