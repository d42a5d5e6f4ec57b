package stand

import (
	"context"
	"encoding/json"
	"time"

	"vedetta/bench/verdict"
)

// Channels that the demo contact has, and where the catcher lists what came.
var lists = map[string]string{"email": "/messages", "webpush": "/pushes", "webhook": "/webhooks"}

// Caught is when the catcher got each marked text, by channel; of a text that
// came twice, the first.
func (m *Stand) Caught(ctx context.Context) (map[string]map[string]time.Time, error) {
	out := map[string]map[string]time.Time{}
	for channel, path := range lists {
		var items []json.RawMessage
		if err := m.JSON(ctx, m.Catcher+path, &items); err != nil {
			return nil, err
		}
		at := map[string]time.Time{}
		for _, item := range items {
			var got struct {
				Received time.Time `json:"received"`
			}
			if err := json.Unmarshal(item, &got); err != nil {
				return nil, err
			}
			if text := verdict.Marked(string(item)); text != "" {
				if _, twice := at[text]; !twice {
					at[text] = got.Received
				}
			}
		}
		out[channel] = at
	}
	return out, nil
}
