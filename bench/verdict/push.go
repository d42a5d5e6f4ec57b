package verdict

import (
	"crypto/sha256"
	"encoding/base64"
)

// judgePushes compares the pushes that arrived for one alarm with its
// notifications by Web Push, and returns how many were repetitions. A push
// service shows one message per topic, so a second push is none to the person
// as long as topic and tag are the notification's own (rule 10).
func judgePushes(breach func(string, ...any), text string, ns []Notification, pushes []Push) (repeated int) {
	arrived := map[string]int{}
	for _, p := range pushes {
		arrived[p.ID]++
	}
	known := map[string]bool{}
	for _, n := range ns {
		if n.Channel != "webpush" {
			continue
		}
		known[n.ID] = true
		if arrived[n.ID] == 0 && n.State == "delivered" {
			breach("alarm %q: no push arrived, the outcome says %s", text, n.State)
		}
		repeated += max(0, arrived[n.ID]-1)
	}
	for _, p := range pushes {
		switch {
		case !known[p.ID]:
			breach("alarm %q: a push arrived for notification %q, which was not planned", text, p.ID)
		case p.Topic != topic(p.ID):
			breach("alarm %q: a push has topic %q, want %q", text, p.Topic, topic(p.ID))
		case p.Tag != p.Topic:
			breach("alarm %q: a push has tag %q beside topic %q", text, p.Tag, p.Topic)
		}
	}
	return repeated
}

// topic is the judge's own reading of rule 10.
func topic(notification string) string {
	sum := sha256.Sum256([]byte(notification))
	return base64.RawURLEncoding.EncodeToString(sum[:24])
}
